"""Signs of life in simulated time: as long as all is well, and not longer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from schedule_zero.sd_notify import Notifier
from schedule_zero.watchdog import Watchdog

pytestmark = pytest.mark.governor


class Told(Notifier):
    """Keeps what systemd would be told, with the time."""

    def __init__(self, watchdog: float | None) -> None:
        super().__init__("/nowhere", watchdog)
        self.said: list[tuple[float, str]] = []
        self.begun = time.monotonic()

    def _send(self, line: str, status: str = "") -> bool:
        self.said.append((round(time.monotonic() - self.begun), line or status))
        return True


def test_signs_come_three_times_in_the_time_given(sim_world: Any) -> None:
    """WatchdogSec=30: a sign every 10 s; none while there is trouble, and systemd hears why; then again."""
    told = Told(30.0)
    troubles: list[str | None] = [None]
    watchdog = Watchdog(told, lambda: troubles[0])

    for second in range(80):
        troubles[0] = "the server does not answer" if 25 <= second < 55 else None
        watchdog.tick()
        time.sleep(1.0)

    assert told.said == [
        (0, "WATCHDOG=1"),
        (10, "WATCHDOG=1"),
        (20, "WATCHDOG=1"),
        (30, "in trouble: the server does not answer"),
        (60, "WATCHDOG=1"),
        (60, "all is well"),
        (70, "WATCHDOG=1"),
    ]


def test_without_a_watchdog_nothing_is_asked(sim_world: Any) -> None:
    """Health is not looked at for nobody."""
    told = Told(None)
    Watchdog(told, lambda: pytest.fail("asked")).tick()
    assert told.said == []
