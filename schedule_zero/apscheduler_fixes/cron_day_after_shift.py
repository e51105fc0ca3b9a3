"""Times before 01:00 on the day after the clocks went forward are lost (agronholm/apscheduler#606).

`CronTrigger` moves on to the next day by the hours that lie between in local time, and adds those to an instant: on a
day of 23 hours it arrives at 01:00, and passes over everything before.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger as Base
else:
    Base = object


class DayAfterShift(Base):
    """Begins each day at its midnight, or at the first time there is of it."""

    def _increment_field_value(self, dateval: datetime, fieldnum: int) -> tuple[datetime, int]:
        moved, fieldnum = super()._increment_field_value(dateval, fieldnum)
        aimed = dateval.replace(tzinfo=None) + timedelta(seconds=moved.timestamp() - dateval.timestamp())
        if aimed.date() != dateval.date():
            # The earlier: where clocks go back over midnight the evening comes again first.
            moved = min(moved, as_shown(aimed, self.timezone), key=datetime.timestamp)
        return moved, fieldnum


def as_shown(naive: datetime, zone: tzinfo) -> datetime:
    """The first instant at which clocks in `zone` show that time; if they never do, as much later as they skip."""
    return datetime.fromtimestamp(naive.replace(tzinfo=zone, fold=0).timestamp(), zone)
