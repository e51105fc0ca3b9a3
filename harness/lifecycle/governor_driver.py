"""Drives a governor through its life, over and over: start, stop, restart, add, remove, bounce, crash.

After each cycle it is looked for what was left behind, and in each cycle the size of every process is measured
once, so that growth over many cycles can be told from noise.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.history.recorder import Recorder
from harness.history.records import Status, Step
from harness.lifecycle.base import Lifecycle
from harness.lifecycle.steps import GRACE, LIMIT, Draws, Steps, name_of
from harness.scenario.model import Cycles, CycleStep
from harness.targets.base import StopHow

if TYPE_CHECKING:
    from harness.lifecycle.in_process import GovernorLike, HandlerConfigLike
    from harness.lifecycle.rounds import GovernorRounds

AUDIT_WITHIN = 5.0
"""Seconds in which what was stopped must be gone without a trace."""


@dataclass(frozen=True)
class Played:
    """How far the cycles got: how many were played, in how many a step failed, and whether the limit ended
    them.
    """

    cycles: int
    failed: int
    cut: bool


class GovernorDriver:
    """Plays cycles on one `Lifecycle` and records every step, every audit and every measurement.

    A step that fails is recorded with its evidence; the rest of its cycle is left out, what runs is ended by
    force, and the next cycle begins. Draws come from `rng`.
    """

    def __init__(
        self, lifecycle: Lifecycle, recorder: Recorder, rng: random.Random, *, payloads: Draws | None = None
    ) -> None:
        self._lifecycle = lifecycle
        self._recorder = recorder
        self._rng = rng
        self._payloads = payloads

    @staticmethod
    def of(
        governor: GovernorLike, handlers: Sequence[HandlerConfigLike] = (), **options: Any
    ) -> GovernorRounds:
        """Drive a governor of this process, in a plain test: ``GovernorDriver.of(governor).cycle(20)``.

        `handlers` are configurations that ``add`` steps may add; see `harness.lifecycle.rounds.GovernorRounds`
        for `options`.
        """
        from harness.lifecycle.rounds import GovernorRounds

        return GovernorRounds(governor, handlers, **options)

    async def play(self, cycles: Cycles, handlers: Sequence[str] = (), *, limit: float | None = None) -> Played:
        """Play all cycles, or as many as begin within `limit` seconds.

        `handlers` are the names of those that a start brings up. With ``start: once`` it must be up already.
        """
        loop = asyncio.get_running_loop()
        ends = None if limit is None else loop.time() + limit
        steps = Steps(self._lifecycle, self._recorder, self._rng, handlers, payloads=self._payloads)
        steps.up = cycles.start == "once"
        failed = 0
        for number in range(1, cycles.count + 1):
            if ends is not None and loop.time() >= ends:
                return Played(number - 1, failed, cut=True)
            failed += not await self._cycle(number, cycles, steps)
            if number < cycles.count:
                await asyncio.sleep(self._rng.uniform(cycles.gap.low, cycles.gap.high))
        return Played(cycles.count, failed, cut=False)

    async def _cycle(self, number: int, cycles: Cycles, steps: Steps) -> bool:
        """Whether every step of this cycle did what it should."""
        measured = False
        good = True
        for step in cycles.steps:
            if not measured and name_of(step) in ("stop", "restart"):
                measured = await self._measure(steps)
            if not await self._step(number, step, steps):
                good = False
                break
        if good and not measured:
            await self._measure(steps)
        if cycles.start == "each":
            await self._come_down(number, steps, good)
            await self._audit(number)
        elif not good:
            await self._come_down(number, steps, good)
            await self._step(number, CycleStep(do="start"), steps)
        return good

    async def _step(self, number: int, step: CycleStep, steps: Steps) -> bool:
        begin = self._recorder.now()
        status, detail = Status.OK, {}
        try:
            detail = await steps.play(step)
        except Exception as error:  # noqa: BLE001 - whatever the target does is evidence; the next cycle goes on
            status, detail = Status.FAIL, {"error": f"{type(error).__name__}: {error}", **_aim(step)}
        if detail.get("forced"):
            status = Status.FAIL
        end = self._recorder.now()
        self._recorder.append(
            Step(at=end, cycle=number, step=name_of(step), start=begin, end=end, status=status, detail=detail)
        )
        return status is Status.OK

    async def _come_down(self, number: int, steps: Steps, good: bool) -> None:
        """Make sure that it is down: gently when all went well and the steps just did not stop it, else by
        force.
        """
        if good and steps.up:
            good = await self._step(number, CycleStep(do="stop"), steps)
        if not good:
            try:
                async with asyncio.timeout(LIMIT):
                    await steps.stop_by(StopHow.KILL, GRACE)
            except Exception as error:  # noqa: BLE001 - the audit that follows tells what is left
                self._recorder.event("clean-up-problem", error=f"{type(error).__name__}: {error}", cycle=number)
            steps.up = False

    async def _measure(self, steps: Steps) -> bool:
        """Sample the size of every process, once a cycle; nothing when it does not answer."""
        if not steps.up:
            return False
        try:
            async with asyncio.timeout(GRACE):
                numbers = await self._lifecycle.probe()
        except Exception as error:  # noqa: BLE001 - a measurement that fails is no failed cycle, but it is told
            self._recorder.event("measurement-problem", error=f"{type(error).__name__}: {error}")
            return False
        for key, value in sorted(numbers.items()):
            name, _, place = key.partition("@")
            self._recorder.sample(name, value, place)
        return True

    async def _audit(self, number: int) -> None:
        scope = f"cycle {number}"
        try:
            async with asyncio.timeout(AUDIT_WITHIN * 6):
                for record in await self._lifecycle.audit(scope, timeout=AUDIT_WITHIN):
                    self._recorder.append(record)
        except Exception as error:  # noqa: BLE001 - without its record the check of this cycle is unknown, which is the truth
            self._recorder.event("audit-problem", error=f"{type(error).__name__}: {error}", scope=scope)


def _aim(step: CycleStep) -> dict[str, Any]:
    """Which handler a failed step was about, as it was written."""
    aim = step.add or step.remove or step.bounce or step.crash
    return {"handler": aim} if aim else {}
