"""Driving a governor of this process from an ordinary test: ``GovernorDriver.of(governor).cycle(20)``."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import descent
from harness.errors import UsageError
from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Audit, Status, Step
from harness.history.stops import ill_ends
from harness.lifecycle.base import CycleError
from harness.lifecycle.governor_driver import GovernorDriver, Played
from harness.lifecycle.in_process import GovernorLifecycle, GovernorLike, HandlerConfigLike
from harness.scenario.model import Cycles
from harness.scenario.positions import dotted
from harness.scenario.shape import validate

START_STOP: tuple[Any, ...] = ("start", {"wait": {"until": "ready", "within": 30.0}}, "stop")
"""The steps of a cycle when none are given; they are written as in the ``cycles`` of a scenario file."""


@dataclass(frozen=True)
class RoundsResult:
    """What the cycles showed. `problems` has a sentence for every failed step and everything that was left
    behind.
    """

    played: Played
    history: History
    problems: tuple[str, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that was played, with its times (seconds)."""
        return self.history.of(Step)

    def durations(self, step: str) -> list[float]:
        """How long the successful steps of that name took, in seconds."""
        return [round(s.end - s.start, 6) for s in self.steps if s.step == step and s.status is Status.OK]


class GovernorRounds:
    """Cycles of one governor. `seed` draws what a step leaves open; `pids` is the folder of its pid files."""

    def __init__(
        self,
        governor: GovernorLike,
        handlers: Sequence[HandlerConfigLike] = (),
        *,
        seed: int = 0,
        pids: Path | None = None,
    ) -> None:
        self._governor = governor
        self._handlers = tuple(handlers)
        self._seed = seed
        self._pids = pids

    def cycle(
        self,
        count: int = 1,
        steps: Sequence[Any] = START_STOP,
        *,
        start: str = "each",
        limit: float | None = None,
        check: bool = True,
    ) -> RoundsResult:
        """Play `count` cycles of `steps` (all that begin within `limit` seconds), looking for left-overs after
        each.

        Raises `CycleError` with every problem, unless `check` is False, and `UsageError` for cycles or steps that there
        are not. Not to be called from a running event
        loop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            cycles = _cycles(count, steps, start)
            result = asyncio.run(self._play(cycles, limit))
        else:
            raise UsageError(
                "cycle() blocks; in a coroutine use GovernorDriver(GovernorLifecycle(governor, ...), "
                "...).play(...)"
            )
        if check and result.problems:
            raise CycleError(
                f"{len(result.problems)} problems in {result.played.cycles} cycles:\n"
                + "\n".join(result.problems)
            )
        return result

    async def _play(self, cycles: Cycles, limit: float | None) -> RoundsResult:
        recorder = Recorder()
        mark = descent.mark_of(uuid.uuid4().hex)
        lifecycle = GovernorLifecycle(self._governor, recorder, self._handlers, pids=self._pids, mark=mark)
        recorder.begin_run()
        driver = GovernorDriver(lifecycle, recorder, random.Random(self._seed))
        with descent.marked(mark):
            played = await driver.play(cycles, tuple(self._governor.list_handlers()), limit=limit)
        history = recorder.close()
        return RoundsResult(played, history, tuple(_problems(history)))


def _cycles(count: int, steps: Sequence[Any], start: str) -> Cycles:
    cycles, misfits = validate(Cycles, {"count": count, "steps": list(steps), "start": start}, from_file=False)
    if cycles is None:
        told = [f"{dotted(misfit.at)}: {misfit}" for misfit in misfits]
        raise UsageError("these cycles cannot be played:\n" + "\n".join(told))
    return cycles


def _problems(history: History) -> list[str]:
    found = [
        f"cycle {step.cycle}: {step.step} failed: {step.detail.get('error') or step.detail}"
        for step in history.of(Step)
        if step.status is not Status.OK
    ]
    found += [
        f"cycle {step.cycle}: stop() answered False"
        for step in history.of(Step)
        if step.step == "stop" and step.status is Status.OK and step.detail.get("code")
    ]
    found += [f"cycle {step.cycle}: {told}" for step in history.of(Step) for told in ill_ends(step.detail)]
    found += [
        f"{audit.scope}: left behind ({audit.name}): {left}"
        for audit in history.of(Audit)
        for left in audit.found
    ]
    return found
