"""Driving a governor object from an ordinary test."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from harness.errors import UsageError
from harness.history.records import Audit, Sample, Status
from harness.lifecycle import in_process
from harness.lifecycle import steps as lifecycle_steps
from harness.lifecycle.base import CycleError
from harness.lifecycle.governor_driver import GovernorDriver, Played


def test_a_good_governor_passes_and_every_step_is_recorded(governor: Any) -> None:
    """Three cycles of start, wait, stop: nothing left behind, and the times are there."""
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(3)
    assert result.played == Played(cycles=3, failed=0, cut=False)
    assert [(s.cycle, s.step) for s in result.steps] == [
        (n, step) for n in (1, 2, 3) for step in ("start", "wait", "stop")
    ]
    assert len(result.durations("start")) == 3
    assert governor.running == {}


def test_each_cycle_is_searched_for_left_overs_and_measured_once(governor: Any) -> None:
    """Audits name their cycle and counted what they looked at; sizes are sampled for each process and for this
    one.
    """
    history = GovernorDriver.of(governor, pids=governor.folder).cycle(2).history
    audits = history.of(Audit)
    assert [(a.scope, a.name) for a in audits] == [
        (f"cycle {n}", name) for n in (1, 2) for name in ("processes", "ports", "pidfiles")
    ]
    assert [a.looked_at for a in audits if a.name == "processes"] == [3, 6]
    rss = [sample.place for sample in history.of(Sample) if sample.name == "rss"]
    assert rss == ["h1", "h2", "harness", "server"] * 2


@pytest.mark.slow
def test_a_process_that_outlives_the_stop_is_found(governor: Any) -> None:
    """A governor that forgets a child is told which pid it left, though it said it had stopped."""
    governor.forgets = {"h2"}
    with pytest.raises(CycleError) as left:
        GovernorDriver.of(governor, pids=governor.folder).cycle(1)
    (child,) = governor.leaked
    assert f"cycle 1: left behind (processes): {{'pid': {child.pid}" in str(left.value)
    assert "left behind (pidfiles)" in str(left.value)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="nothing but the environment tells there")
def test_a_daemon_that_nobody_told_of_is_found(governor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It left its parents, its session and its environment before anybody looked."""
    shell, start, daemons = "setsid sleep 333 </dev/null >/dev/null 2>&1 & echo $!", governor.start, []

    def careless() -> bool:
        done = subprocess.run(["env", "-i", "/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
        daemons.append(psutil.Process(int(done.stdout)))
        return bool(start())

    monkeypatch.setattr(governor, "start", careless)
    try:
        with pytest.raises(CycleError, match=r"left behind \(processes\): .*sleep 333"):
            GovernorDriver.of(governor, pids=governor.folder).cycle(1)
    finally:
        for daemon in daemons:
            daemon.kill()


def test_a_service_that_ended_badly_is_told_where_the_governor_knows(
    governor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That ``stop()`` answered True does not say how they ended: their exit codes do."""
    told, codes = governor.status, {"server": 0, "h1": -9, "h2": 9}

    def status() -> dict[str, SimpleNamespace]:
        return {name: SimpleNamespace(**vars(info), exit_code=codes[name]) for name, info in told().items()}

    monkeypatch.setattr(governor, "status", status)
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(1, check=False)

    assert result.problems[0].startswith("cycle 1: h1 had to be killed after ")
    assert result.problems[1:] == ("cycle 1: h2 ended with code 9",)


@pytest.fixture
def hanging(governor: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is set, `status()` of the governor does not come back; at the end it does."""
    told, hangs, over = governor.status, threading.Event(), threading.Event()

    def status() -> Any:
        if hangs.is_set():
            over.wait(30.0)
        return told()

    monkeypatch.setattr(governor, "status", status)
    yield hangs
    over.set()


@pytest.mark.slow
def test_a_governor_that_hangs_after_its_stop_fails_the_stop(
    governor: Any, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked how its services ended it never answers; that has a deadline like every other call."""
    really = governor.stop

    def stop(timeout: float) -> bool:
        hanging.set()
        return bool(really(timeout))

    monkeypatch.setattr(governor, "stop", stop)
    monkeypatch.setattr(in_process, "CALL_WITHIN", 0.3)
    begin = time.monotonic()
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(1, check=False)

    assert result.problems[0] == "cycle 1: stop failed: TargetError: waited 0.3 s for status() of the governor"
    assert time.monotonic() - begin < 20.0


@pytest.mark.slow
def test_a_governor_that_hangs_is_not_waited_for_beyond_the_limit_of_a_wait(
    governor: Any, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is down, say: the wait ends in time, with what it waited for."""
    monkeypatch.setattr(in_process, "CALL_WITHIN", 0.3)
    monkeypatch.setattr(lifecycle_steps, "GRACE", 0.1)
    governor.start()
    hanging.set()
    steps = [{"wait": {"until": "down", "within": "200ms"}}]
    begin = time.monotonic()
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(1, steps=steps, start="once", check=False)

    assert result.steps[0].status is Status.FAIL
    assert "the answer to a probe" in result.problems[0]
    assert time.monotonic() - begin < 20.0


def test_a_failed_start_is_evidence_and_the_next_cycle_goes_on(governor: Any) -> None:
    """What failed is recorded with the reason, the rest of its cycle is left out, the others are played."""
    governor.refuses_start = True
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(2, check=False)
    assert [(s.step, s.status) for s in result.steps] == [("start", Status.FAIL)] * 2
    assert result.problems[0].startswith(
        "cycle 1: start failed: TargetError: start() answered False; health_check() says"
    )
    assert governor.starts == 2


def test_handlers_come_go_and_restart(governor: Any, config: Any) -> None:
    """Add, bounce and remove on a governor that stays up; the pids prove that it was restarted."""
    governor.start()
    before = governor.running["h1"].pid
    rounds = GovernorDriver.of(governor, [config("h3")], pids=governor.folder)
    result = rounds.cycle(1, steps=[{"add": "h3"}, {"bounce": "h1"}, {"remove": "h2"}], start="once")
    assert [(s.step, s.detail) for s in result.steps] == [
        ("add", {"handler": "h3"}),
        ("bounce", {"handler": "h1"}),
        ("remove", {"handler": "h2"}),
    ]
    assert governor.list_handlers() == ["h1", "h3"]
    assert governor.running["h1"].pid != before


def test_a_crash_is_real_and_ready_means_started_again(governor: Any) -> None:
    """SIGKILL hits a handler's process; waiting until ready waits for its successor."""
    governor.start()
    before = governor.running["h1"].pid
    steps = [{"crash": "h1"}, {"wait": {"until": "ready", "within": "10s"}}]
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(1, steps=steps, start="once")
    assert result.steps[0].detail == {"handler": "h1", "pid": before}
    assert not psutil.pid_exists(before)
    assert governor.running["h1"].pid != before


def test_a_stop_by_kill_leaves_nothing_either(governor: Any) -> None:
    """Every process is killed, then the governor is told to stop; the audit is as strict as ever."""
    result = GovernorDriver.of(governor, pids=governor.folder).cycle(
        1, steps=["start", {"stop": {"how": ["kill"]}}]
    )
    assert result.steps[1].detail["how"] == "kill"
    assert governor.running == {}


def test_an_operation_of_the_governor_may_be_called(governor: Any) -> None:
    """A call is counted and recorded; one that does not exist fails its step with what there is."""
    rounds = GovernorDriver.of(governor, pids=governor.folder)
    good = rounds.cycle(1, steps=["start", {"op": "status", "count": 2}, "stop"])
    assert good.steps[1].detail == {"op": "status", "count": 2, "ok": 2}
    with pytest.raises(
        CycleError, match="a governor has no operation 'explode'; there are: status, health_check"
    ):
        rounds.cycle(1, steps=["start", {"op": "explode"}, "stop"])


@pytest.mark.parametrize(
    ("count", "steps", "told"),
    [
        (1, ["strat"], "steps.0: this has no such value; expected one of restart, start, stop, found 'strat'"),
        (1, ["start", {"bonce": "h1"}], "did you mean 'bounce'?"),
        (1, [{"wait": {"until": "redy", "within": 5.0}}], "found 'redy'; did you mean 'ready'?"),
        (0, ["start"], "count: out of bounds; expected more than 0, found 0"),
    ],
)
def test_cycles_that_cannot_be_played_are_told_in_words(count: int, steps: list[Any], told: str) -> None:
    """What is wrong, what was expected, what was meant: before anything is started, and not as pydantic has it."""
    with pytest.raises(UsageError) as raised:
        GovernorDriver.of(cast(Any, None)).cycle(count, steps)

    assert told in str(raised.value)
    assert len(str(raised.value).splitlines()) == 2, "one mistake is told once"


def test_it_does_not_block_an_event_loop() -> None:
    """Called in a coroutine it refuses, and names what to use there."""

    async def inside() -> None:
        GovernorDriver.of(cast(Any, None)).cycle(1)

    with pytest.raises(UsageError, match="use GovernorDriver"):
        asyncio.run(inside())
