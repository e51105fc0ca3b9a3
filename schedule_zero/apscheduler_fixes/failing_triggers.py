"""A trigger that fails when asked for its next time ends the scheduler, or gets another schedule's time.

APScheduler 4.0.0a6 means to remove such a schedule. But it leaves its loop without a next time: if the schedule is the
first of its batch that is an UnboundLocalError, on which the scheduler dies (again after each restart, since the
schedule is still due); else the schedule is given the next time of the one before it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from schedule_zero.instants import is_tellable


class EndsInTime:
    """A trigger whose next time would lie beyond the calendar has no next time."""

    def next(self) -> datetime | None:
        """The next time, if there is one that can be told."""
        following: Any = super()
        try:
            moment = cast("datetime | None", following.next())
        except (OverflowError, ValueError, OSError):
            return None
        # What only its own zone can still tell could be stored, and never be read again.
        return moment if moment is None or is_tellable(moment) else None
