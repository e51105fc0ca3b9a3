"""One service in a thread of the governor's own process.

A thread can be asked to end and cannot be made to. One that does not is left to itself: it is told of with the place
where it hangs, it is counted for as long as it lives, and nobody waits for it any more.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from schedule_zero.barriers import reached
from schedule_zero.errors import ConfigError, PortTaken, ScheduleZeroError, StoreUnusable
from schedule_zero.exits import ExitCode
from schedule_zero.stop_report import Forced

__all__ = ["ThreadLaunch", "ThreadUnit", "Work"]

_TICK = 0.005  # seconds between two looks at an ending thread
_DEPTH = 8  # calls of a hanging thread that are told: the innermost are the standard library's

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What a thread does in one life."""

    def run(self) -> None:
        """Work until `end` is called; whatever it raises is how the life ended."""

    def end(self) -> None:
        """Ask `run` to return. Does not wait; may be called at any time, from any thread."""

    @property
    def left(self) -> list[threading.Thread]:
        """Threads that the work has started and could not end."""


@dataclass(frozen=True)
class ThreadLaunch:
    """How the work of a new life is made, and where it will listen."""

    make: Callable[[], Work]
    address: str


class ThreadUnit:
    """Runs one piece of work after the other, each in a thread of its own (see `Unit`)."""

    force = "cannot be killed: it is left to itself"
    forced = Forced.GIVEN_UP
    pid = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.started_at = 0.0
        self._life: _Life | None = None
        self._number = 0
        self._said = ""
        self._given_up: list[threading.Thread] = []
        self._lock = threading.RLock()

    @property
    def incarnation(self) -> int | None:
        """The number of the present life."""
        life = self._life
        return None if life is None else life.number

    @property
    def label(self) -> str:
        """The present or last life for a log line."""
        return f"thread {self._number}"

    @property
    def work(self) -> Work | None:
        """What the present life works at."""
        life = self._life
        return None if life is None else life.work

    @property
    def abandoned(self) -> list[threading.Thread]:
        """Threads of earlier lives that have not ended yet."""
        with self._lock:
            self._given_up = [thread for thread in self._given_up if thread.is_alive()]
            return list(self._given_up)

    def begin(self, launch: ThreadLaunch) -> int:
        """Start a life. Raises RuntimeError while there is one, OSError when there can be no more threads."""
        with self._lock:
            if self._life is not None:
                raise RuntimeError(f"{self.name}: thread {self._number} has not been cleared away")
            self._number += 1
            self._said = ""
            self.started_at = time.monotonic()
            life = _Life(self.name, self._number, launch.make())
            try:
                life.thread.start()
            except RuntimeError as error:
                raise OSError(str(error)) from error
            self._life = life
            reached("governor.spawned", name=self.name, pid=os.getpid())
            return self._number

    def poll(self) -> int | None:
        """The exit code, once, when the thread has ended or was given up."""
        with self._lock:
            life = self._life
            if life is None or (life.thread.is_alive() and not life.given_up):
                return None
            self._life = None
            self._said = life.said
            self._given_up += [life.thread, *life.work.left] if life.given_up else life.work.left
            return int(ExitCode.CRASH if life.given_up else life.code)

    def terminate(self) -> None:
        """Ask the work to end."""
        with self._lock:
            if self._life is not None:
                self._life.work.end()

    def kill(self) -> None:
        """Give the thread up: nobody waits for it any more. Where it hangs goes to the log."""
        with self._lock:
            life = self._life
            if life is not None and life.thread.is_alive():
                life.given_up = True
                _log.error("%s: thread %d hangs at %s", self.name, life.number, _place(life.thread))

    def wait(self, timeout: float) -> int | None:
        """The exit code when the life ends within ``timeout`` seconds; None when it does not, or there is none."""
        deadline = time.monotonic() + timeout
        while True:
            code = self.poll()
            if code is not None or self._life is None or time.monotonic() >= deadline:
                return code
            time.sleep(_TICK)

    def uptime(self) -> float:
        """Seconds since the present life began; 0 without one."""
        return time.monotonic() - self.started_at if self._life is not None else 0.0

    def last_lines(self) -> str:
        """What the last life ended of."""
        life = self._life
        return self._said if life is None else life.said

    def usage(self) -> dict[str, Any]:
        """``abandoned_threads``: memory and time are those of the one process."""
        return {"abandoned_threads": len(self.abandoned)}

    def tidy(self) -> None:
        """Nothing to do: what a thread writes is in the governor's log."""


class _Life:
    def __init__(self, name: str, number: int, work: Work) -> None:
        self.number = number
        self.work = work
        self.code: int = ExitCode.CRASH
        self.said = ""
        self.given_up = False
        # A daemon: one that hangs must not keep the process from ending.
        self.thread = threading.Thread(target=self._run, name=f"{name}-life-{number}", daemon=True)

    def _run(self) -> None:
        try:
            self.work.run()
            self.code = ExitCode.OK
        except SystemExit as error:
            self.code = error.code if isinstance(error.code, int) else int(error.code is not None)
            self.said = f"SystemExit: {error.code}"
        except ScheduleZeroError as error:
            self.code, self.said = _code_of(error), str(error)
        except Exception as error:  # noqa: BLE001 - whatever ends a thread is told by who polls it
            _log.error("%s broke off", self.thread.name, exc_info=error)
            self.said = f"{type(error).__name__}: {error}"


def _code_of(error: ScheduleZeroError) -> ExitCode:
    """The code with which a process would have ended."""
    codes = {ConfigError: ExitCode.CONFIG, PortTaken: ExitCode.PORT_TAKEN, StoreUnusable: ExitCode.STORE}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), ExitCode.CRASH)


def _place(thread: threading.Thread) -> str:
    """File, line and function in which a thread is now, with those it was called from."""
    frame = sys._current_frames().get(thread.ident or 0)
    places: list[str] = []
    while frame is not None and len(places) < _DEPTH:
        places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
        frame = frame.f_back
    return ", called from ".join(places) or "an unknown place"
