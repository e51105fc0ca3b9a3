"""``process.kill``: a process ends by SIGKILL in the middle of whatever it does."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.errors import FaultError
from harness.faults.base import Args, Fault
from harness.faults.ownership import live_process, own_process
from harness.faults.signals import ended, send, wait_for
from harness.history.records import RestartedBy
from harness.scenario.values import Duration
from harness.targets.base import Place, PlaceKind

STARTS_WITHIN = 40.0
"""Seconds that a supervised process may take until it is ready: it may have to end what its predecessor left."""


class KillArgs(Args):
    """Arguments of `ProcessKill`."""

    restart: Duration = Field(default=10.0, ge=0)
    """Seconds after the kill within which whoever keeps the process alive must have started it again; then the
    harness does. A governor is kept alive by nobody else: for it this is the time until its supervisor, the harness,
    starts it again.
    """


class ProcessKill(Fault[KillArgs]):
    """Kill one process. It heals when a process of the same name runs again under another pid.

    >>> import subprocess, sys
    >>> from harness.targets.base import Place, PlaceKind
    >>> child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    >>> with ProcessKill(Place(PlaceKind.PROCESS, "child", pid=child.pid), KillArgs()):
    ...     child.wait(timeout=10)
    -9
    """

    kind: ClassVar[str] = "process.kill"
    about: ClassVar[str] = "a process ends by SIGKILL; healed when it runs again"
    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.PROCESS, PlaceKind.HANDLER)
    args_model: ClassVar[type[Args]] = KillArgs
    died_within: ClassVar[float] = 10.0
    """Seconds in which a killed process must be gone (a process in an uninterruptible call is not, at once).

    0: that is not waited for.
    """
    number: ClassVar[signal.Signals] = signal.SIGKILL

    _killed_at: float | None = None

    @classmethod
    def lasts(cls, args: KillArgs) -> float | None:
        """As long as the restart may take: a kill is over at once, what is waited for is the return."""
        return args.restart

    def inject(self) -> Mapping[str, Any]:
        """Kill it; returns when the process is gone."""
        self.deadline = self.args.restart + self.died_within + self._start_within + Fault.deadline
        process = own_process(self.place, self.surroundings)
        if not send(process, self.number):
            raise FaultError(
                f"{self.place.name} (pid {process.pid}) ended by itself just before it was to be killed"
            )
        self._killed_at = time.monotonic()
        if self.died_within and not wait_for(lambda: ended(process), self.died_within):
            raise FaultError(
                f"{self.place.name} (pid {process.pid}) still runs {self.died_within:g} s after {self.number.name}"
            )
        return {"pid": process.pid}

    def heal(self) -> Mapping[str, Any]:
        """Wait until it runs again; start it when nobody did within ``restart``. Of a supervised process that is what
        is meant to be: then the harness is its supervisor, and ``restart`` how long that waits.
        """
        if self._killed_at is None or not self._known():
            return {}
        due = self._killed_at + self.args.restart
        if wait_for(lambda: self._successor() is not None, max(0.0, due - time.monotonic())):
            by = RestartedBy.GOVERNOR
        else:
            by = RestartedBy.SUPERVISOR if self.place.supervised else RestartedBy.HARNESS
            self.surroundings.restart(self.place, timeout=self._start_within)
        again = self._successor()
        return {
            "pid": again.pid if again else 0,
            "by": by.value,
            "after": round(time.monotonic() - self._killed_at, 6),
        }

    @property
    def _start_within(self) -> float:
        return STARTS_WITHIN if self.place.supervised else Fault.deadline

    def _known(self) -> bool:
        """Whether there is a target that should bring the process back."""
        return bool(self.surroundings.places())

    def _successor(self) -> Place | None:
        for place in self.surroundings.places():
            if (
                place.name == self.place.name
                and place.kind is self.place.kind
                and place.pid not in (0, self.place.pid)
                and _runs(place)
            ):
                return place
        return None


def _runs(place: Place) -> bool:
    try:
        live_process(place)
    except FaultError:
        return False
    return True
