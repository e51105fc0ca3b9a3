"""One service under a governor: wanted or not, running or not, and what to do about the difference."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from schedule_zero.exits import ExitCode
from schedule_zero.governor_base import ProcessInfo, ProcessStatus
from schedule_zero.restart_policy import Restarts
from schedule_zero.stop_report import Ending, Forced
from schedule_zero.unit import Launch, Unit

__all__ = ["Governed"]

L = TypeVar("L", bound=Launch)

_log = logging.getLogger(__name__)


class Governed(Generic[L]):
    """A service that is kept as it is wanted; ``process`` is what it runs in, a process or a thread.

    ``busy`` is held by whoever changes it; the monitor passes over what is busy. :attr:`ready` is set by the
    monitor when the service has answered, and lost when its life ends.
    """

    def __init__(self, name: str, process: Unit[L], restarts: Restarts) -> None:
        self.name = name
        self.process = process
        self.restarts = restarts
        self.launch: L | None = None
        self.busy = threading.RLock()
        self.ready = False
        self.status = ProcessStatus.STOPPED
        self.restart_count = 0
        self.last_error: str | None = None
        self.exit_code: int | None = None
        self.ending: Ending | None = None
        """How it ended when it was last told to; None before, and when it did not run then."""
        self._asked: tuple[float, bool] | None = None
        self._due = 0.0

    def info(self) -> ProcessInfo:
        """What is known of it now."""
        return ProcessInfo(
            name=self.name,
            pid=self.process.pid,
            status=self.status,
            restart_count=self.restart_count,
            last_error=self.last_error,
            exit_code=self.exit_code,
            address=self.launch.address if self.launch else None,
            uptime=self.process.uptime(),
            ready=self.ready,
        )

    def begin(self, launch: L) -> None:
        """Start it, with all its restarts before it."""
        with self.busy:
            self.launch = launch
            self.restarts.reset()
            self.last_error = self.exit_code = self.ending = self._asked = None
            self._spawn()

    def attend(self, now: float) -> None:
        """Notice that it has ended, start it again when that is due. Never waits; leaves alone what is busy."""
        if self.status not in (ProcessStatus.RUNNING, ProcessStatus.RESTARTING):
            return
        if not self.busy.acquire(blocking=False):
            return
        try:
            if self.status is ProcessStatus.RUNNING:
                self._notice_end(now)
            elif self.status is ProcessStatus.RESTARTING and now >= self._due:
                self.restart_count += 1
                self._spawn()
        finally:
            self.busy.release()

    def retire(self) -> None:
        """It is not wanted any more: no restart from here on. Its process is asked to end, not waited for."""
        with self.busy:
            self.status = ProcessStatus.STOPPED
            if self.process.incarnation is not None and self._asked is None:
                self._asked = time.monotonic(), self.ready
            self.process.terminate()

    def finish(
        self,
        deadline: float,
        hurry: Callable[[], bool] = lambda: False,
        gives_way: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait for a retired service until ``deadline`` (monotonic s) or until ``hurry()``, then use force.

        When ``gives_way()`` first it is left to whoever finishes it instead, and the answer is False.
        """
        with self.busy:
            forced, hurried = Forced.NOTHING, False
            # Once at least: what ended while others were waited for must not count as killed.
            code = self.process.poll()
            self.exit_code = self.exit_code if code is None else code
            while self.process.incarnation is not None and time.monotonic() < deadline and not hurry():
                if gives_way():
                    return False
                code = self.process.wait(0.01)
                self.exit_code = self.exit_code if code is None else code
            if self.process.incarnation is not None:
                forced, hurried = self.process.forced, hurry()
                self.last_error = f"{self.process.label} has not stopped in time and {self.process.force}"
                _log.warning("%s: %s", self.name, self.last_error)
                self.process.kill()
                self.exit_code = self.process.wait(5.0)
            self.process.poll()
            self._note_ending(forced, hurried)
            self.ready = False
            return True

    def _note_ending(self, forced: Forced, hurried: bool) -> None:
        if self._asked is None:  # it did not run when it was told
            return
        asked, ready = self._asked
        after = round(time.monotonic() - asked, 3)
        self.ending = Ending(self.exit_code, forced, hurried, ready=ready, after=after)
        self._asked = None
        if not forced and self.exit_code != ExitCode.OK:
            _log.warning("%s: %s %s when it was told to stop", self.name, self.process.label, _ending(self.exit_code))

    def _spawn(self) -> None:
        assert self.launch is not None, "a service is launched by begin() first"
        self.ready = False
        try:
            self.process.begin(self.launch)
        except OSError as error:
            self._after_end(ExitCode.CRASH, 0.0, f"cannot be started: {error}")
            return
        self.status = ProcessStatus.RUNNING
        _log.info("%s: %s started", self.name, self.process.label)

    def _notice_end(self, now: float) -> None:
        uptime = now - self.process.started_at
        code = self.process.poll()
        if code is not None:
            said = self.process.last_lines() or "no output"
            self._after_end(code, uptime, f"{self.process.label} {_ending(code)}: {said}")

    def _after_end(self, code: int, uptime: float, error: str) -> None:
        self.ready = False
        self.exit_code = code
        self.last_error = error
        delay = self.restarts.delay_after(code, uptime)
        if delay is not None:
            self.status = ProcessStatus.RESTARTING
            self._due = time.monotonic() + delay
            _log.warning("%s: %s; started again in %.3g s", self.name, error, delay)
            return
        self.status = ProcessStatus.STOPPED if code == ExitCode.OK else ProcessStatus.CRASHED
        _log.error("%s: %s; not started again", self.name, error)


def _ending(code: int | None) -> str:
    if code is None:
        return "ended with a code that nobody saw"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
