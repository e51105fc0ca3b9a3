"""A day whose time the clocks skip moves the days after it, where the skipped time is near midnight (#1138).

`CalendarIntervalTrigger` goes on from the day on which the time falls that clocks show instead. That may be the day
after, which is then passed over, and with longer intervals so is every day that follows.

That the day itself is left out is no defect: APScheduler documents it so ("the date is discarded and the process
moves on to the next date"), and so does our reference.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger as Base
else:
    Base = object


class CalendarGaps(Base):
    """Goes on from the day that was left out."""

    def next(self) -> datetime | None:
        """The next time that there is."""
        while True:
            day = self._following()
            if day is None or (self.end_date is not None and day > self.end_date):
                return None
            self._last_fire_date = day
            aimed = datetime.combine(day, self._time)
            found = datetime.fromtimestamp(aimed.timestamp(), self.timezone)
            if found.replace(tzinfo=None, fold=0) == aimed.replace(tzinfo=None):
                return found

    def _following(self) -> date | None:
        last = self._last_fire_date
        if last is None:
            return self.start_date
        months = last.year * 12 + last.month - 1
        while True:
            months += self.years * 12 + self.months
            year, month = divmod(months, 12)
            if year > date.max.year:
                return None
            try:
                return date(year, month + 1, last.day) + timedelta(days=self.days, weeks=self.weeks)
            except ValueError:
                continue  # there is no such day in that month
            except OverflowError:
                return None
