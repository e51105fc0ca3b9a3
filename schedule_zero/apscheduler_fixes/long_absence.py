"""Every time that a schedule has missed is computed, one by one, on the event loop (agronholm/apscheduler#526, #1066).

A schedule of every second that was paused for a week, or whose start lies years back, keeps APScheduler's loop, and
with it the whole server, for seconds to hours, only to drop all of these times but one.

Here a trigger can be told to skip, so that the time taken does not depend on how much was missed. Where every missed
time is wanted (``coalesce: all``) the latest `MOST_MISSED` are made up for, and the rest is left out, which is told.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from apscheduler import CoalescePolicy, Schedule

if TYPE_CHECKING:
    from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger as CalendarBase
    from apscheduler.triggers.cron import CronTrigger as CronBase
    from apscheduler.triggers.interval import IntervalTrigger as IntervalBase
else:
    CalendarBase = CronBase = IntervalBase = object

MOST_MISSED: Final = 1000
"""How many missed times of a schedule are made up for at most."""
SHORT: Final = timedelta(seconds=60)
"""An absence for which it is not worth the trouble."""
_WIDER: Final = 4
_NONE: Final = timedelta()


class IntervalSkips(IntervalBase):
    """An interval that can go on at any moment."""

    def skip_to(self, moment: datetime) -> None:
        """Let the next time be the first at or after `moment`, or a few before."""
        steps = (moment - self.start_time) // self._interval - 1
        self._last_fire_time = None if steps < 0 else self.start_time + steps * self._interval

    def times_between(self, first: datetime, last: datetime) -> int:
        """How many times there are from one time to before another."""
        return int((last - first) // self._interval)


class CronSkips(CronBase):
    """Cron times that can go on at any moment."""

    def skip_to(self, moment: datetime) -> None:
        """Let the next time be the first at or after `moment`, or some before."""
        moment = self._before_shift(moment.astimezone(self.timezone).replace(microsecond=0))
        self._last_fire_time = None
        if moment > self.start_time:
            self._last_fire_time = (moment - timedelta(seconds=1)).astimezone(self.timezone)

    def _before_shift(self, moment: datetime) -> datetime:
        """As much earlier as clocks have just been put forward: a time that is made up for is found from there only."""
        day_before = datetime.fromtimestamp(moment.timestamp() - 86_400, self.timezone)
        jump = ((moment.utcoffset() or _NONE) - (day_before.utcoffset() or _NONE)).total_seconds()
        earlier = datetime.fromtimestamp(moment.timestamp() - max(jump, 0), self.timezone)
        return earlier if earlier.utcoffset() != moment.utcoffset() else moment


class CalendarSkips(CalendarBase):
    """Calendar days that can go on at any moment, where they are equally far apart."""

    def skip_to(self, moment: datetime) -> None:
        """Let the next time be the first at or after `moment`, or some before."""
        self._last_fire_date = None
        if not self.years and not self.months:
            step = timedelta(days=self.days, weeks=self.weeks)
            steps = (moment.astimezone(self.timezone).date() - self.start_date) // step - 1
            self._last_fire_date = self.start_date + steps * step if steps >= 0 else None


def caught_up(
    schedule: Schedule, now: datetime | None = None, *, tell: Callable[[int, bool], None] = lambda count, exact: None
) -> Schedule:
    """The schedule, due at `now`, with a trigger that has little left to compute; fires as it would have otherwise.

    Changes the schedule that it is given. If every missed time was wanted and there were too many, `tell` gets how many
    are left out, and whether there are not even more: not all triggers can count them quickly.
    """
    now = now or datetime.now(UTC)
    due, trigger = schedule.next_fire_time, schedule.trigger
    if due is None or now - due < SHORT or not hasattr(trigger, "skip_to"):
        return schedule
    most = MOST_MISSED if schedule.coalesce is CoalescePolicy.all else 1
    if (first := _missed(trigger, due, now, most)) is None:
        return schedule
    if schedule.coalesce is CoalescePolicy.all and first > due:
        tell(*_left_out(trigger, due, first))
    _go_on_after(trigger, first)
    if schedule.coalesce is not CoalescePolicy.earliest:
        schedule.next_fire_time = first
    return schedule


def _missed(trigger: Any, due: datetime, now: datetime, most: int) -> datetime | None:
    """The earliest of the latest `most` times from `due` to `now`."""
    span = SHORT
    while True:
        begin = max(due, now - span)
        times: deque[datetime] = deque(maxlen=most)
        probe = copy.copy(trigger)
        probe.skip_to(begin)
        while (time := probe.next()) is not None and time <= now:
            if time >= begin:
                times.append(time)
        if len(times) == most or begin == due:
            return times[0] if times else None
        span *= _WIDER


def _left_out(trigger: Any, due: datetime, first: datetime) -> tuple[int, bool]:
    """How many times lie from `due` to before `first`, and whether that is exact rather than the least."""
    if hasattr(trigger, "times_between"):
        return trigger.times_between(due, first), True
    probe = copy.copy(trigger)
    probe.skip_to(due)
    count = 0
    while count < MOST_MISSED and (time := probe.next()) is not None and time < first:
        count += time >= due
    return count, count < MOST_MISSED


def _go_on_after(trigger: Any, first: datetime) -> None:
    trigger.skip_to(first)
    while (time := trigger.next()) is not None and time < first:
        continue
