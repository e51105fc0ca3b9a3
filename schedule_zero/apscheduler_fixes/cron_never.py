"""A day that never comes, such as 30 February, is searched for up to the year 9999, on the event loop.

That takes a second in which the server does nothing else.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger as Base
else:
    Base = object

LONGEST: Final = 60
"""Years in which everything comes that comes at all: 29 February on a given weekday takes 40, around 2100."""


class NeverComes(Base):
    """Gives up after a lifetime, where no year was asked for."""

    def _increment_field_value(self, dateval: datetime, fieldnum: int) -> tuple[datetime, int]:
        since = self._last_fire_time or self.start_time
        if dateval.year - since.year > LONGEST and str(self._fields[0]) == "*":
            return dateval, -1
        return super()._increment_field_value(dateval, fieldnum)
