"""What is known of a run while it goes on: counts, latency of the last seconds, faults under way."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from harness.history.records import (
    AnyRecord,
    Drop,
    Edge,
    Fault,
    FaultEvent,
    Operation,
    Phase,
    PhaseName,
    Sample,
    Status,
    Step,
)
from harness.report.series import nearest_rank

WINDOW = 10.0
"""Seconds of scenario time over which rate and latency are taken."""
_KEPT = 20_000


@dataclass(frozen=True)
class Glance:
    """The state at one moment.

    ``rate`` is calls ended a second and ``p99`` seconds, both over the last `WINDOW` seconds.
    """

    phase: PhaseName | None
    since: float
    ok: int
    fail: int
    info: int
    dropped: int
    rate: float
    p99: float | None
    samples: dict[str, float]
    armed: tuple[str, ...]
    injected: tuple[str, ...]
    cycles: int


class LiveState:
    """Fed with records from any thread; `glance` may be asked from another.

    Records of the setup phase carry provisional times, so ages are measured against the newest record, never
    a clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {Status.OK: 0, Status.FAIL: 0, Status.INFO: 0}
        self._dropped = 0
        self._phase: tuple[PhaseName | None, float] = (None, 0.0)
        self._recent: deque[tuple[float, float | None]] = deque(maxlen=_KEPT)
        self._samples: dict[str, float] = {}
        self._armed: dict[str, int] = {}
        self._injected: dict[tuple[str, str], str] = {}
        self._cycles = 0

    def feed(self, record: AnyRecord) -> None:
        """Take notice of one record."""
        with self._lock:
            if isinstance(record, Operation):
                self._counts[record.status] += 1
                self._recent.append(
                    (record.end, record.end - record.intended if record.status is Status.OK else None)
                )
            elif isinstance(record, Drop):
                self._dropped += 1
            elif isinstance(record, Phase):
                if record.edge is Edge.BEGIN:
                    self._phase = (record.name, record.at)
            elif isinstance(record, Sample):
                if not record.place:
                    self._samples[record.name] = record.value
            elif isinstance(record, Fault):
                self._fault(record)
            elif isinstance(record, Step):
                self._cycles = max(self._cycles, record.cycle)

    def _fault(self, fault: Fault) -> None:
        key = (fault.id, fault.place)
        if fault.event is FaultEvent.ARMED:
            self._armed[fault.id] = self._armed.get(fault.id, 0) + 1
            return
        if fault.event is FaultEvent.INJECTED:
            self._injected[key] = f"{fault.id} {fault.place}".strip()
        else:
            self._injected.pop(key, None)
        self._armed.pop(fault.id, None)

    def glance(self, now: float) -> Glance:
        """The state at scenario time `now`, in seconds."""
        with self._lock:
            recent = list(self._recent)
            phase, since = self._phase
            counts, dropped, cycles = dict(self._counts), self._dropped, self._cycles
            samples, armed, injected = dict(self._samples), tuple(self._armed), tuple(self._injected.values())
        # Sorting happens outside the lock: whoever records must never wait for a picture.
        rate, p99 = _of_late(recent, now, now - since if phase is PhaseName.RUN else WINDOW)
        return Glance(
            phase,
            since,
            counts[Status.OK],
            counts[Status.FAIL],
            counts[Status.INFO],
            dropped,
            rate,
            p99,
            samples,
            armed,
            injected,
            cycles,
        )


def _of_late(ends: list[tuple[float, float | None]], now: float, age: float) -> tuple[float, float | None]:
    """Calls a second and the 99th percentile of good answers over the last `WINDOW` seconds.

    At most `_KEPT` ends are remembered: when they cover less than the window, the rate is over what they cover.
    """
    seen = [(end, took) for end, took in ends if end > now - WINDOW]
    span = min(WINDOW, max(age, 1.0))
    if len(seen) == _KEPT:
        span = max(now - min(end for end, _ in seen), 1e-3)
    return len(seen) / span, nearest_rank(sorted(took for _, took in seen if took is not None), 0.99)
