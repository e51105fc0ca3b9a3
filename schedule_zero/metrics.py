"""What a server counts and measures while it works, in plain numbers: cheap where jobs pass, no global state.

`schedule_zero.api.exposition` puts them into words for Prometheus when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.service_events import EventKind, ServiceEvent

__all__ = ["HTTP_SECONDS", "JOB_SECONDS", "Metrics", "Spread"]

#: Upper bounds of the classes of durations, in seconds.
HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOB_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
#: Handlers that are told apart; what comes after them is counted together, so that ids cannot fill the memory.
MOST_HANDLERS = 200
OTHERS = "(others)"


class Spread:
    """How often a duration fell into each class: a histogram as Prometheus wants it.

    Example:
        >>> spread = Spread((0.1, 1.0))
        >>> for seconds in (0.05, 0.1, 0.5, 7.0):
        ...     spread.add(seconds)
        >>> spread.cumulated()
        [('0.1', 2), ('1.0', 3), ('+Inf', 4)]
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration; one that a clock set back has made negative counts as none."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """How many durations there were."""
        return sum(self.counts)

    def cumulated(self) -> list[tuple[str, int]]:
        """Each upper bound with how many were not above it."""
        total, classes = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            total += count
            classes.append((bound, total))
        return classes


class Metrics:
    """The numbers of one server. Everything counts up from 0 at its start."""

    def __init__(self) -> None:
        #: Jobs that came into the store, by what brought them: ``run_now`` or ``schedule``.
        self.jobs_added: Counter[str] = Counter()
        #: Jobs that ended, by handler and outcome.
        self.jobs_finished: Counter[tuple[str, str]] = Counter()
        #: Jobs whose work may have been done twice: their handler was restarted between two attempts.
        self.jobs_maybe_twice = 0
        #: Attempts at a handler, by handler.
        self.calls: dict[str, Spread] = {}
        #: Seconds from when a job was due (or accepted) to when it was begun.
        self.lateness = Spread(JOB_SECONDS)
        #: Requests, by verb, route and status.
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.request_seconds: dict[str, Spread] = {}
        #: Seconds that a transaction of the store took, failed ones too.
        self.commits = Spread(COMMIT_SECONDS)
        self._handlers: dict[str, str] = {}

    def heard(self, event: ServiceEvent) -> None:
        """Count an event of the service."""
        if event.kind is EventKind.JOB_ADDED:
            self.jobs_added["schedule" if event.schedule_id else "run_now"] += 1
        elif event.kind is EventKind.JOB_FINISHED and event.outcome is not None:
            self.jobs_finished[self._label(event.handler_id or ""), event.outcome.value] += 1

    def executed(self, record: ExecutionRecord) -> None:
        """Measure a job that was called."""
        calls = self.calls.setdefault(self._label(record.handler_id), Spread(JOB_SECONDS))
        for attempt in record.attempts:
            if not attempt.broken_off:  # nobody knows how long that took
                calls.add(attempt.duration)
        self.jobs_maybe_twice += any(attempt.maybe_again for attempt in record.attempts)
        due = record.scheduled_for or record.accepted_at
        if record.started_at is not None and due is not None:
            self.lateness.add((record.started_at - due).total_seconds())

    def requested(self, verb: str, route: str, status: int, seconds: float | None) -> None:
        """Count a request; without `seconds` its duration says nothing (a stream)."""
        self.requests[verb, route, status] += 1
        if seconds is not None:
            self.request_seconds.setdefault(route, Spread(HTTP_SECONDS)).add(seconds)

    def _label(self, handler_id: str) -> str:
        label = self._handlers.get(handler_id)
        if label is None:
            if len(self._handlers) >= MOST_HANDLERS:
                return OTHERS
            label = self._handlers[handler_id] = handler_id
        return label
