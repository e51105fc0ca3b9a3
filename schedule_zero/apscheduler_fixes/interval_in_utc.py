"""An interval counts what the wall clock shows, so that a shift of the clocks makes it longer or shorter (#372).

`IntervalTrigger` adds to a local time. When no start is given that is one of the server's own zone, and every hour is
no hour twice a year.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.interval import IntervalTrigger as Base
else:
    Base = object


class CountedInUtc(Base):
    """Counts elapsed time, whatever zone its start is given in."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.start_time = self.start_time.astimezone(UTC)
