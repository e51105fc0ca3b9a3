"""What the service refuses, one class a reason; the HTTP layer gives each its status."""

from __future__ import annotations

from schedule_zero.errors import ScheduleZeroError


class NotFound(ScheduleZeroError, LookupError):
    """There is no schedule, job or execution under this id."""


class AlreadyExists(ScheduleZeroError):
    """The id is taken by something else."""


class IdempotencyConflict(ScheduleZeroError):
    """The idempotency key stands for another request."""


class InvalidRequest(ScheduleZeroError, ValueError):
    """A value that cannot be used; `field` says where it stands in the request (``trigger.hour``)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = message


class Stopping(ScheduleZeroError):
    """The service is stopping, and takes nothing new."""
