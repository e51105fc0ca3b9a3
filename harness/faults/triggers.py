"""Waiting for what happens: which record is which event, and when a trigger has come true."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase

from harness.history.records import AnyRecord, Event, Fault, FaultEvent, Operation, Process
from harness.scenario.model import FaultSpec, When


def event_name(record: AnyRecord) -> str:
    """The name under which a scenario can wait for `record`; empty for what nobody can wait for.

    An `Event` has its own name; a finished call is ``<workload>.ok``, ``.fail`` or ``.info``; a heal
    ``<fault>.heal``; a process ``process.started``, ``process.ready`` or ``process.exited``.
    """
    if isinstance(record, Event):
        return record.name
    if isinstance(record, Operation):
        return f"{record.workload}.{record.status.value}"
    if isinstance(record, Fault) and record.event is FaultEvent.HEALED:
        return f"{record.id}.heal"
    if isinstance(record, Process):
        return f"process.{record.event.value}"
    return ""


def trigger_of(spec: FaultSpec) -> When | None:
    """What a fault waits for; ``after: x.heal`` is every ``x.heal``. None where the clock decides."""
    if spec.after is not None:
        return When(event=spec.after, odds=1.0)
    return spec.when


class Trigger:
    """Counts one event within a window and calls `fire` when it comes true. Fed from any thread.

    Records of the fault `own` itself are not seen, so that ``after: "*.heal"`` does not wait for its own heal.

    >>> fired = []
    >>> when = When(event="job.sent", nth=2)
    >>> trigger = Trigger(when, (0.0, 60.0), random.Random(1), lambda: fired.append(True))
    >>> for second in (1.0, 2.0, 3.0): trigger.see(Event(at=second, name="job.sent"))
    >>> fired
    [True]
    """

    def __init__(
        self,
        when: When,
        window: tuple[float, float],
        rng: random.Random,
        fire: Callable[[], None],
        *,
        own: str = "",
    ) -> None:
        self.when = when
        self._own = own
        self.seen = 0
        self._window = window
        self._rng = rng
        self._fire = fire
        self._lock = threading.Lock()

    def see(self, record: AnyRecord) -> None:
        """Take note of one record."""
        if isinstance(record, Fault) and record.id == self._own:
            return
        begin, end = self._window
        if begin <= record.at < end and fnmatchcase(event_name(record), self.when.event) and self._due():
            self._fire()

    def _due(self) -> bool:
        with self._lock:
            self.seen += 1
            if self.when.nth is not None:
                return self.seen == self.when.nth
            return self._rng.random() < (self.when.odds or 0.0)
