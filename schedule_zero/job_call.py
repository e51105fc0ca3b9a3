"""One job's call: what is to be called, how often at most, and its record as far as it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from schedule_zero.execution_log import BROKEN_OFF, Attempt, ExecutionRecord
from schedule_zero.takings import Taking

__all__ = ["JobCall", "RetryPolicy", "begun", "broken_off", "changed", "located", "with_broken_off"]


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` calls at most, with ``base * factor**n`` seconds between them, varied by +- `jitter` (0.5:
    +-50 %).

    `retry_errors` also repeats what the handler answered with an error.
    """

    attempts: int = 3
    base: float = 1.0
    factor: float = 2.0
    jitter: float = 0.5
    retry_errors: bool = False

    def pause(self, attempt: int, chance: float) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1); `chance` is uniform in [0, 1).

        >>> RetryPolicy(base=1.0, factor=2.0, jitter=0.5).pause(2, 0.5)
        2.0
        """
        return self.base * self.factor ** (attempt - 1) * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True)
class JobCall:
    """One job's call. `timeout` bounds an attempt, `deadline` all of them together from the start, both in
    seconds.

    `seen` says that the log may know this job from before a crash; false spares the look. `earlier` are the times it
    was taken before, from which it was not given back in peace; `noted` says that the present one is written down with
    the start of the handler that it is for. `under_way` is told when a call begins, and when its end is known.
    """

    job_id: str
    handler_id: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    schedule_id: str | None = None
    scheduled_for: datetime | None = None
    accepted_at: datetime | None = None
    deadline: float | None = None
    timeout: float = 30.0
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    at_most_once: bool = False
    seen: bool = True
    earlier: tuple[Taking, ...] = ()
    noted: bool = True
    under_way: Callable[[bool], None] = lambda _: None


def begun(call: JobCall) -> ExecutionRecord:
    """The record of a job whose execution begins now."""
    return ExecutionRecord(
        job_id=call.job_id,
        handler_id=call.handler_id,
        method=call.method,
        schedule_id=call.schedule_id,
        scheduled_for=call.scheduled_for,
        accepted_at=call.accepted_at,
        started_at=datetime.now(UTC),
    )


def with_broken_off(call: JobCall, record: ExecutionRecord) -> ExecutionRecord:
    """The record with the attempts of which only the taking of the job is known."""
    if call.at_most_once:  # its start would have been recorded
        return record
    attempts, started = record.attempts, record.started_at
    for at, incarnation in call.earlier:
        if incarnation and all(attempt.started_at != at for attempt in attempts):
            attempts = (*attempts, broken_off(len(attempts) + 1, at, incarnation))
            started = min(at, started or at)
    return changed(record, attempts=attempts, started_at=started)


def broken_off(number: int, at: datetime, incarnation: str) -> Attempt:
    """An attempt of which only is known that it was about to be made, at that start of the handler."""
    return Attempt(number, at, 0.0, BROKEN_OFF, incarnation=incarnation or None, broken_off=True)


def located(attempt: Attempt, earlier: tuple[Attempt, ...], here: str | None) -> Attempt:
    """The attempt with where it ran; not told of one that is the first and succeeds, as nearly all do."""
    if not here or (not earlier and attempt.error is None):
        return attempt
    elsewhere = any(other.incarnation not in (None, here) for other in earlier)
    return msgspec.structs.replace(attempt, incarnation=here, maybe_again=elsewhere)


def changed(record: ExecutionRecord, **changes: Any) -> ExecutionRecord:
    """The record with some fields changed."""
    return msgspec.structs.replace(record, **changes)
