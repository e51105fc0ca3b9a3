"""What the service refuses, one class a reason; the HTTP layer gives each its status."""

from __future__ import annotations

from collections.abc import Sequence

from schedule_zero.errors import ScheduleZeroError

_SHOWN = 30  # methods that a refusal names; a handler may have a thousand


class NotFound(ScheduleZeroError, LookupError):
    """There is no schedule, job or execution under this id."""


class AlreadyExists(ScheduleZeroError):
    """The id is taken by something else."""


class IdempotencyConflict(ScheduleZeroError):
    """The idempotency key stands for another request."""


class JobUnderWay(ScheduleZeroError):
    """A job that is running cannot be removed: nobody could say what becomes of its call."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id!r} is running, and ends by itself: only a job that waits can be removed")


class InvalidRequest(ScheduleZeroError, ValueError):
    """A value that cannot be used; `field` says where it stands in the request (``trigger.hour``)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = message


class UnknownMethod(InvalidRequest):
    """The handler has told which methods it has, and the one that is wanted is not among them."""

    def __init__(self, handler_id: str, method: str, known: Sequence[str]) -> None:
        shown = [*known[:_SHOWN], *([f"and {len(known) - _SHOWN} more"] if len(known) > _SHOWN else [])]
        super().__init__("job_method", f"handler {handler_id!r} has no method {method!r}; it has: {', '.join(shown)}")


class Stopping(ScheduleZeroError):
    """The service is stopping, and takes nothing new."""
