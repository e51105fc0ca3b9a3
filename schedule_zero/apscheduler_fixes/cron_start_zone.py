"""A start given in another zone, or between two seconds, shifts the times of a cron trigger.

`CronTrigger` reads the hour of its start as if it were one of the trigger's own zone, so that it may fire before the
start, or hours after it; and a start at half a second makes all times of ``second="*"`` lie at half a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger as Base
else:
    Base = object


class StartInItsZone(Base):
    """Begins at the first whole second from the start on, as shown in the trigger's zone."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.start_time = _whole(self.start_time).astimezone(self.timezone)


def _whole(moment: datetime) -> datetime:
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
