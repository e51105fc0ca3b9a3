"""What was done to schedules and when the scheduler was up, as events of the history from which it can be modelled.

The check ``fires-as-modelled`` reads them. At its own time an event certainly was in effect, and it may have been since
``took`` seconds before; ``sure`` is false where it may not have taken effect at all. ``wall`` is what the wall clock
showed at its time, in µs since 1970.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from harness.history.recorder import Recorder
from harness.history.records import Event, Process, ProcessEvent, Status
from harness.targets.apscheduler.moments import clocks
from harness.targets.base import Reply

_NAMES = {
    "schedule.add": "schedule-added",
    "schedule.pause": "schedule-paused",
    "schedule.resume": "schedule-resumed",
    "schedule.remove": "schedule-removed",
}


class Notes:
    """Writes the events of one run; `durable` tells whether schedules survive the scheduler's process. None: what
    `made` is told does, and before that there are none.
    """

    def __init__(self, recorder: Recorder, *, durable: bool | None) -> None:
        self._recorder, self._told, self._durable = recorder, durable, bool(durable)
        self._limits: dict[str, int] = {}

    def now(self) -> float:
        """The monotonic clock, in seconds: scenario time is not known before the run begins."""
        return time.monotonic()

    def begin(self, op: str, args: Mapping[str, Any]) -> float:
        """An operation begins; what `end` is to be told."""
        return self.now()

    def end(self, op: str, args: Mapping[str, Any], reply: Reply, begun: float) -> None:
        """An operation ended; one that was refused changed nothing."""
        if op not in _NAMES or reply.status is Status.FAIL:
            return
        about = {key: value for key, value in args.items() if key not in ("id", "params")}
        self._event(_NAMES[op], args["id"], begun, sure=reply.status is Status.OK, **about)

    def spawned(self, pid: int) -> None:
        """A life of the scheduler begins."""
        self._process(pid, ProcessEvent.STARTED)

    def made(self, *, durable: bool, max_jobs: int) -> None:
        """A scheduler was made: whether its store is durable, and how many jobs it runs at once."""
        if self._told is None:
            self._durable = durable
        self._limits = {"max_jobs": max_jobs}

    def up(self, pid: int, begun: float) -> None:
        """It works, since some moment after `begun`."""
        self._process(pid, ProcessEvent.READY)
        self.works(begun)

    def works(self, begun: float) -> None:
        """The scheduler looks at its schedules, since some moment after `begun`."""
        self._event("scheduler-up", "scheduler", begun, **self._limits)

    def rests(self, begun: float, how: str, error: str = "") -> None:
        """It does so no more, at the earliest since `begun`."""
        self._event("scheduler-down", "scheduler", begun, how=how, durable=self._durable, error=error)

    def down(self, pid: int, begun: float, how: str, code: int | None, error: str) -> None:
        """It ended, not before `begun`: ``stop`` and ``kill`` by our will, ``death`` by a signal, ``crash`` by its own
        error.
        """
        self._process(pid, ProcessEvent.EXITED, code)
        self.rests(begun, how, error)

    def _event(self, name: str, place: str, begun: float, **detail: Any) -> None:
        monotonic, clock = clocks()
        # A length, since what is recorded before the run begins has its times shifted.
        detail |= {"took": round(monotonic - begun, 6), "wall": clock}
        self._recorder.append(
            Event(at=self._recorder.to_scenario(monotonic), name=name, place=place, detail=detail)
        )

    def _process(self, pid: int, event: ProcessEvent, code: int | None = None) -> None:
        self._recorder.append(
            Process(at=self._recorder.now(), name="scheduler", pid=pid, event=event, code=code)
        )
