"""APScheduler's triggers with their defects worked around: what our schedules consist of.

These names are written into the store with each schedule, so they stay.
"""

from __future__ import annotations

from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.apscheduler_fixes.calendar_gaps import CalendarGaps
from schedule_zero.apscheduler_fixes.cron_day_after_shift import DayAfterShift
from schedule_zero.apscheduler_fixes.cron_missing_times import MissingTimes
from schedule_zero.apscheduler_fixes.cron_never import NeverComes
from schedule_zero.apscheduler_fixes.cron_start_zone import StartInItsZone
from schedule_zero.apscheduler_fixes.failing_triggers import EndsInTime
from schedule_zero.apscheduler_fixes.interval_in_utc import CountedInUtc
from schedule_zero.apscheduler_fixes.long_absence import CalendarSkips, CronSkips, IntervalSkips


class Interval(EndsInTime, CountedInUtc, IntervalSkips, IntervalTrigger):
    """Every so much elapsed time."""


class Cron(EndsInTime, MissingTimes, NeverComes, DayAfterShift, StartInItsZone, CronSkips, CronTrigger):
    """Whenever the clocks of a zone show certain times."""


class Calendar(EndsInTime, CalendarGaps, CalendarSkips, CalendarIntervalTrigger):
    """At one time of day, every so many days."""
