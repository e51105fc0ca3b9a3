"""A time that the clocks skip is named as if it existed, and may hide one that does (agronholm/apscheduler#1059).

`CronTrigger` puts together a local time, and does not look whether there is such a time that day. As an instant it lies
as much later as the clocks jump, and what lies between is passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger as Base
else:
    Base = object


class MissingTimes(Base):
    """Makes up for a time that clocks never show as much later as they jump, unless another one comes before."""

    def next(self) -> datetime | None:
        """The next time that there is."""
        found = super().next()
        if found is None or _shown(found):
            return found
        # Whatever it was set from: a start in an hour that came twice leaves its mark on months to come.
        made_up = datetime.fromtimestamp(found.replace(fold=0).timestamp(), self.timezone)
        self._last_fire_time = datetime.fromtimestamp(_shift_near(found) - 1, self.timezone)
        other = super().next()
        if other is None or other.timestamp() > made_up.timestamp():
            other = made_up
        self._last_fire_time = other
        return other


def _shown(moment: datetime) -> bool:
    return datetime.fromtimestamp(moment.timestamp(), moment.tzinfo).replace(fold=0) == moment.replace(fold=0)


def _shift_near(missing: datetime) -> int:
    """The instant (seconds since 1970) of the shift that skips this local time."""
    before = int(missing.replace(fold=1).timestamp())
    after = int(missing.replace(fold=0).timestamp())
    old = datetime.fromtimestamp(before, missing.tzinfo).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, missing.tzinfo).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
