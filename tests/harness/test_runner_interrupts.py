"""An interrupt at any moment takes all down, a second one at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.verdict import Outcome
from harness.errors import TargetError
from harness.runner import Run, RunResult
from harness.scenario.model import Scenario
from harness.targets.base import StopHow

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


async def _interrupted(run: Run, driver: FakeDriver, moment: str, times: int) -> RunResult:
    """Play, and interrupt `times` times once the target is told `moment`."""
    running = asyncio.create_task(run.run())
    while moment not in driver.told:
        await asyncio.sleep(0.005)
    for _ in range(times):
        run.interrupt()
        await asyncio.sleep(0.02)
    return await asyncio.wait_for(running, 20.0)


LONG = [{"id": "jobs", "op": "job.submit", "with": {"handler": "h1"}, "rate": "50/s", "for": "1min"}]
MOMENTS = ["start", "probe", "call", "collect", "stop term", "collect files", "audit", "close"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_interrupt_at_any_moment_takes_all_down_in_good_order(
    scripts: Any, driver: FakeDriver, short: Short, tmp_path: Path, moment: str
) -> None:
    """Verdict interrupted, by SIGTERM, with every step of the teardown done to its end."""
    if moment == "start":
        driver.script["start"] = scripts.hang
    limits = {"run": "30s", "settle": "2s", "teardown": "3s"}
    busy = moment == "call"
    scenario = short(
        limits=limits,
        **({"workload": LONG} if busy else {}),
        steady=[{"within": "2s", "expect": {"backlog": 0}}],
    )

    async def slowly() -> None:
        await asyncio.sleep(0.2)

    if moment in scripts.torn_down:
        driver.script[moment] = slowly

    result = asyncio.run(_interrupted(Run(scenario, driver, 1, tmp_path), driver, moment, 1))

    assert result.verdict.outcome is Outcome.INTERRUPTED
    assert result.verdict.outcome.exit_code == 130
    assert driver.order == ["start", *scripts.torn_down]
    assert driver.stops == [StopHow.TERM]
    assert scripts.problems(result) == {}


@pytest.mark.parametrize(
    ("moment", "order"),
    [
        ("call", ["start", "stop kill", "stop kill", "collect files", "audit", "close"]),
        ("stop term", ["start", "collect", "stop term", "stop kill", "collect files", "audit", "close"]),
        ("audit", ["start", "collect", "stop term", "collect files", "audit", "close"]),
    ],
)
def test_a_second_interrupt_kills_what_is_left_at_once(
    scripts: Any, driver: FakeDriver, short: Short, tmp_path: Path, moment: str, order: list[str]
) -> None:
    """Whatever hangs is cut short; what still runs is killed, and the search for left-overs and the close still
    come.
    """
    driver.script[moment] = scripts.hang
    limits = {"run": "30s", "settle": "2s", "teardown": "60s"}
    scenario = short(limits=limits, **({"workload": LONG} if moment == "call" else {}))

    result, took = asyncio.run(_timed(_interrupted(Run(scenario, driver, 1, tmp_path), driver, moment, 2)))

    assert result.verdict.outcome is Outcome.INTERRUPTED
    assert driver.order == order
    assert took < 4.0


async def _timed(work: Awaitable[RunResult]) -> tuple[RunResult, float]:
    begin = asyncio.get_running_loop().time()
    return await work, asyncio.get_running_loop().time() - begin


def test_an_interrupt_counts_also_when_something_breaks_on_the_way_down(
    driver: FakeDriver, short: Short, tmp_path: Path
) -> None:
    """A start that answers its cancellation with an error of its own does not hide that it was interrupted."""

    async def start() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TargetError("half started") from None

    driver.script["start"] = start

    result = asyncio.run(_interrupted(Run(short(), driver, 1, tmp_path), driver, "start", 1))

    assert result.verdict.outcome is Outcome.INTERRUPTED


def test_a_caller_that_is_cancelled_leaves_nothing_running(
    scripts: Any, driver: FakeDriver, short: Short, tmp_path: Path
) -> None:
    """Cancelling the coroutine is an interrupt: the teardown is finished before it ends."""

    async def cancelled() -> RunResult:
        running = asyncio.create_task(Run(short(workload=LONG), driver, 1, tmp_path).run())
        while "call" not in driver.told:
            await asyncio.sleep(0.005)
        running.cancel()
        return await asyncio.wait_for(running, 20.0)

    assert asyncio.run(cancelled()).verdict.outcome is Outcome.INTERRUPTED
    assert driver.order == ["start", *scripts.torn_down]
