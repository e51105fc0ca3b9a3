"""Times are lost where the clocks went forward in the night (agronholm/apscheduler#606), or skip a field's first time.

`CronTrigger` moves on to the next day by the hours that lie between in local time, and adds those to an instant: on a
day of 23 hours it arrives at 01:00, and passes over everything before. Where the clocks skip the time that it moves on
to (midnight in Cairo, for a day; 02:00 in Berlin, for the hour after one) it goes on from what they show instead, and
never looks at the rest of what they skip.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger as Base
else:
    Base = object


class DayAfterShift(Base):
    """Begins each day at its midnight and each hour at its first minute, if the clocks skip them, too.

    A time that is named so and does not exist is made up for by `cron_missing_times`.
    """

    def _increment_field_value(self, dateval: datetime, fieldnum: int) -> tuple[datetime, int]:
        moved, fieldnum = super()._increment_field_value(dateval, fieldnum)
        aimed = dateval.replace(tzinfo=None) + timedelta(seconds=moved.timestamp() - dateval.timestamp())
        if aimed.date() != dateval.date() or aimed != moved.replace(tzinfo=None):
            named = aimed.replace(tzinfo=self.timezone, fold=0)
            # The earlier: where clocks go back over midnight the evening comes again first.
            moved = min(named, moved, key=datetime.timestamp)
        return moved, fieldnum
