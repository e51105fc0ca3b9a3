"""Signs of life for systemd, given only while all is well."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from schedule_zero.sd_notify import Notifier

__all__ = ["Watchdog"]

_SHARE = 3  # signs within the time that systemd gives: one that comes late is not yet too late

_log = logging.getLogger(__name__)


class Watchdog:
    """Asks ``trouble()`` and tells ``notifier`` that all is well while it answers None.

    When it names a trouble nothing is sent, so that systemd ends and restarts the service once its time
    (``WatchdogSec``) is over; until then the trouble may pass. Without a watchdog in ``notifier`` nothing is asked.
    """

    def __init__(self, notifier: Notifier, trouble: Callable[[], str | None]) -> None:
        self._notifier = notifier
        self._trouble = trouble
        self._due = 0.0
        self._said: str | None = None

    def tick(self) -> None:
        """To be called often; does something when it is time. May take as long as ``trouble()``."""
        if self._notifier.watchdog is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._notifier.watchdog / _SHARE
        trouble = self._trouble()
        if trouble is None:
            self._notifier.alive()
        if trouble != self._said:
            self._said = trouble
            self._notifier.status(f"in trouble: {trouble}" if trouble else "all is well")
            (_log.error if trouble else _log.info)("watchdog: %s", trouble or "all is well")
