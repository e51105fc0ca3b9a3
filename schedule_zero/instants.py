"""Which instants can be stored, shown in every time zone, and compared with each other.

`datetime` knows the years 1 to 9999 of the clock that it shows. One that shows the first or last hours of them may lie
beyond them in UTC or in another zone, where every conversion raises `OverflowError`.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["EARLIEST", "LATEST", "is_tellable"]

#: No zone differs from UTC by a day or more: what lies between these two can be told in each.
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def is_tellable(moment: datetime) -> bool:
    """Whether an aware datetime lies between the ends of the calendar in every zone.

    >>> is_tellable(datetime.fromisoformat("9999-12-31T23:59:59-14:00"))
    False
    """
    try:
        return EARLIEST <= moment <= LATEST
    except OverflowError:
        return False
