"""Module `signal`, with the calls of `os` that send signals."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.machine.descriptors import failure
from harness.sim.machine.signals import Signalled, SignalTable
from harness.sim.polling import not_yet

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.timers import Timer


class SignalCalls:
    """Each method has the meaning and the errors of the function of `signal` or `os` with its name."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._timers: dict[int, tuple[Timer, float]] = {}

    def _table(self) -> SignalTable:
        return self._machine.state().signals

    def signal(self, signalnum: int, handler: Any) -> Any:
        """Set a handler; only in the main thread."""
        self._require_main()
        if not 1 <= int(signalnum) < signal.NSIG:
            raise ValueError("signal number out of range")
        if not callable(handler) and handler not in (signal.SIG_DFL, signal.SIG_IGN):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        if handler in (signal.SIG_DFL, signal.SIG_IGN):
            handler = signal.Handlers(handler)
        return self._table().set(int(signalnum), handler)

    @staticmethod
    def _require_main() -> None:
        thread = current_thread()
        if thread is not None and thread is not thread.process.main:
            raise ValueError("signal only works in main thread of the main interpreter")

    def getsignal(self, signalnum: int) -> Any:
        """The handler."""
        if not 1 <= int(signalnum) < signal.NSIG:
            raise ValueError("signal number out of range")
        return self._table().get(int(signalnum))

    def raise_signal(self, signum: int) -> None:
        """Send a signal to the caller's process."""
        self._table().deliver(int(signum), here=True)

    def interrupt_main(self, signum: int = int(Signalled.INTERRUPT), /) -> None:
        """``_thread.interrupt_main``: run the handler that the signal has in Python; without one, nothing."""
        if not 1 <= int(signum) < signal.NSIG:
            raise ValueError("signal number out of range")
        if callable(self._table().get(int(signum))):
            self._table().deliver(int(signum), here=True)

    def set_wakeup_fd(self, fd: int, *, warn_on_full_buffer: bool = True) -> int:
        """Write each signal's number to this descriptor."""
        del warn_on_full_buffer
        thread = current_thread()
        if thread is not None and thread is not thread.process.main:
            raise ValueError("set_wakeup_fd only works in main thread of the main interpreter")
        table = self._table()
        before, table.wakeup_fd = table.wakeup_fd, fd
        return before

    def siginterrupt(self, signalnum: int, flag: bool) -> None:
        """Nothing: interrupted calls are resumed by Python either way."""

    def pthread_kill(self, thread_id: int, signalnum: int) -> None:
        """Send a signal to the process of that thread, which is what Python's handlers see."""
        process = self._machine.kernel.current_process
        if all(thread.ident != thread_id for thread in process.threads):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        self._table().deliver(int(signalnum), here=True)

    def pthread_sigmask(self, how: int, mask: Iterable[int]) -> set[Any]:
        """Block or unblock signals, for the whole process."""
        table = self._table()
        before = {_named(number) for number in sorted(table.blocked)}
        numbers = frozenset(int(number) for number in mask)
        if how == signal.SIG_BLOCK:
            table.mask(table.blocked | numbers)
        elif how == signal.SIG_UNBLOCK:
            table.mask(table.blocked - numbers)
        else:
            table.mask(numbers)
        return before

    def sigpending(self) -> set[Any]:
        """Signals that wait to be unblocked."""
        not_yet()
        return {_named(number) for number in self._table().pending}

    def sigwait(self, sigset: Iterable[int]) -> Any:
        """Wait for one of these (blocked) signals."""
        return _named(self._await(sigset, None) or 0)

    def sigtimedwait(self, sigset: Iterable[int], timeout: float) -> Any:
        """Wait for one of these for `timeout` seconds; None when none came. The result has ``si_signo`` only."""
        number = self._await(sigset, self._machine.us(timeout))
        return None if number is None else signal.struct_siginfo((number, 0, 0, 0, 0, 0, 0))

    def sigwaitinfo(self, sigset: Iterable[int]) -> Any:
        """`sigtimedwait` without limit."""
        return signal.struct_siginfo((self._await(sigset, None) or 0, 0, 0, 0, 0, 0, 0))

    def _await(self, sigset: Iterable[int], timeout: int | None) -> int | None:
        table, wanted, kernel = self._table(), {int(number) for number in sigset}, self._machine.kernel
        deadline = None if timeout is None else kernel.now + timeout
        while True:
            found = next((number for number in table.pending if number in wanted), None)
            if found is not None:
                table.pending.remove(found)
                return found
            left = None if deadline is None else deadline - kernel.now
            if left is not None and left <= 0:
                not_yet()
                return None
            table.arrived.wait(left)

    def pause(self) -> None:
        """Wait until a handler has run."""
        table = self._table()
        before = table.handled
        while table.handled == before:
            table.arrived.wait()

    def alarm(self, seconds: int) -> int:
        """SIGALRM after whole seconds; what was left of the one before, rounded up."""
        return -int(-self.setitimer(signal.ITIMER_REAL, float(seconds))[0] // 1)

    def setitimer(self, which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        """SIGALRM after `seconds`, then each `interval`. Only ITIMER_REAL: simulated code uses no processor time."""
        if which != signal.ITIMER_REAL:
            raise NotSimulated("signal.setitimer(ITIMER_VIRTUAL, ITIMER_PROF) is not simulated: use ITIMER_REAL")
        before = self._left()
        process = self._machine.kernel.current_process
        running = self._timers.pop(process.pid, None)
        if running is not None:
            running[0].cancel()
        if seconds > 0:
            self._start(process.pid, seconds, interval)
        return before

    def _start(self, pid: int, seconds: float, interval: float) -> None:
        machine = self._machine
        process = machine.find(pid)
        table = machine.state(process).signals

        def due() -> None:
            self._timers.pop(pid, None)
            if process.alive:
                if interval > 0:
                    self._start(pid, interval, interval)
                table.deliver(Signalled.ALARM)

        self._timers[pid] = (machine.kernel.call_later(machine.us(seconds), due, "alarm"), interval)

    def getitimer(self, which: int) -> tuple[float, float]:
        """Seconds left, interval."""
        not_yet()
        return self._left() if which == signal.ITIMER_REAL else (0.0, 0.0)

    def _left(self) -> tuple[float, float]:
        running = self._timers.get(self._machine.kernel.current_process.pid)
        if running is None:
            return (0.0, 0.0)
        return ((running[0].when - self._machine.kernel.now) / 1e6, running[1])

    # -- sending

    def kill(self, pid: int, number: int) -> None:
        """Send a signal to a process, or to a group (0, negative)."""
        machine = self._machine
        if pid <= 0:
            self.killpg(machine.kernel.current_process.group if pid == 0 else -pid, number)
            return
        process = machine.find(pid)
        if _valid(number) == 0:
            not_yet()  # who asks whether it still exists
            return
        machine.state(process).signals.deliver(_valid(number), here=True)

    def killpg(self, group: int, number: int) -> None:
        """Send a signal to every member of a group, the caller last."""
        machine = self._machine
        if group == -1:
            raise NotSimulated("os.kill(-1, …) to every process of the system is not simulated")
        me = machine.kernel.current_process
        group = group or me.group
        members = [process for process in machine.existing() if process.group == group]
        if not members:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        for process in sorted(members, key=lambda process: process is me):
            machine.state(process).signals.deliver(_valid(number), here=True)

    def pidfd_send_signal(self, pidfd: int, number: int, siginfo: None = None, flags: int = 0) -> None:
        """Send a signal to the process behind a pidfd."""
        del siginfo, flags
        process = getattr(self._machine.state().table.get(pidfd).file, "process", None)
        if process is None:
            raise failure(errno.EBADF)
        if not process.alive and self._machine.lookup(process.pid) is not process:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        self._machine.state(process).signals.deliver(_valid(number), here=True)


def _valid(number: int) -> int:
    if not 0 <= int(number) < signal.NSIG:
        raise failure(errno.EINVAL)
    return int(number)


def _named(number: int) -> Any:
    try:
        return signal.Signals(number)
    except ValueError:
        return number
