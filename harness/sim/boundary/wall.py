"""The wall clock: `datetime` and `time.time`, below every way of naming them.

``partial(datetime.now, timezone.utc)`` bound when a library was imported escapes any replacement of names
(APScheduler 4 binds two of those), so the C functions themselves are redirected, by time-machine. Its traveller is
asked on every read; ours computes the answer from the kernel and the clock of the calling process, so that nothing
has to be done when time advances.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import _time_machine  # type: ignore[import-not-found]
import time_machine

from harness.sim.boundary.clock import Spinning
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import current_thread

_WHY = "epoch of the world + virtual time + offset and drift of the calling process"

BOUNDARY = (
    *(
        Boundary(name, How.SIMULATED, _WHY)
        for name in (
            "datetime.datetime.now",
            "datetime.datetime.today",
            "datetime.datetime.utcnow",
            "datetime.date.today",
            "time.time",
            "time.time_ns",
            "time.localtime",
            "time.gmtime",
            "time.strftime",
            "time.ctime",
            "time.asctime",
        )
    ),
    Boundary("time.tzset", How.PASSED, "the world begins in time zone UTC, whatever the machine's is"),
)


class Traveller(time_machine.Traveller):
    """A traveller of time-machine that reads the clock of whoever asks."""

    def __init__(self, spinning: Spinning) -> None:
        super().__init__(0, None, tick=False)
        self._spinning = spinning

    def time_ns(self) -> int:
        """Nanoseconds since 1970 of the calling process; the real ones for threads of the host."""
        me = current_thread()
        if me is None:
            real: int = _time_machine.original_time_ns()
            return real
        kernel = me.kernel
        self._spinning.read(kernel)
        return me.process.clock.wall(kernel.now) * 1000


class Wall:
    """The redirection of the wall clock, from `install` to `remove`."""

    def __init__(self) -> None:
        self._travel: time_machine.travel | None = None
        self._zone: str | None = None

    def install(self, patcher: Patcher, timezone: str, spinning: Spinning) -> None:
        """Redirect the C functions, and make `timezone` (``UTC``, ``Europe/Berlin``) the local one."""
        if time_machine.traveller_stack:
            raise RuntimeError("time-machine is travelling already: end that journey before opening a simulated world")
        self._zone = os.environ.get("TZ")
        os.environ["TZ"] = timezone
        time.tzset()
        self._travel = time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC).timestamp(), tick=False)
        self._travel.start()
        time_machine.traveller_stack[-1] = Traveller(spinning)
        patcher.replace(time, "ctime", _ctime)
        patcher.replace(time, "asctime", _asctime)
        tzlocal: Any = sys.modules.get("tzlocal.unix")
        if tzlocal is not None:
            patcher.set(tzlocal, "_cache_tz", None)
            patcher.set(tzlocal, "_cache_tz_name", None)

    def remove(self) -> None:
        """Let the C functions and the time zone be what they were."""
        if self._travel is None:
            return
        self._travel.stop()
        self._travel = None
        if self._zone is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = self._zone
        time.tzset()


_real_asctime = time.asctime


def _ctime(seconds: float | None = None, /) -> str:
    """`time.ctime`, which time-machine leaves real."""
    return _real_asctime(time.localtime(seconds))


def _asctime(parts: Any = None, /) -> str:
    """`time.asctime`, which time-machine leaves real."""
    return _real_asctime(time.localtime() if parts is None else parts)
