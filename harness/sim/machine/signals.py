"""Signals: what each process does with each of them, how one is delivered.

A handler runs in the main thread as soon as that gets the baton, inside the wait it was in; the wait goes on afterwards
(PEP 475). What has no handler does what signal(7) says: terminate, stop, continue or nothing.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import SimError
from harness.sim.kernel import current_thread
from harness.sim.machine.descriptors import failure
from harness.sim.process import ProcessState
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.process import SimProcess

Handler = Any
"""``SIG_DFL``, ``SIG_IGN`` or a function of number and frame."""
_IGNORED: Final = frozenset({signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT})
_STOPPING: Final = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_UNCATCHABLE: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})


class Signalled(IntEnum):
    """Signals that the machine itself sends."""

    CHILD = int(signal.SIGCHLD)
    ALARM = int(signal.SIGALRM)
    INTERRUPT = int(signal.SIGINT)


class SignalTable:
    """The signals of one process."""

    def __init__(self, machine: Machine, process: SimProcess) -> None:
        self._machine = machine
        self._process = process
        self._handlers: dict[int, Handler] = {}
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._queued: set[int] = set()
        self.blocked: frozenset[int] = frozenset()
        self.pending: list[int] = []
        self.arrived = WaitQueue(machine.kernel, "a signal")
        self.handled = 0
        self.wakeup_fd = -1
        self.begin_python()

    def begin_python(self) -> None:
        """What the start of an interpreter sets: Ctrl-C raises, broken pipes are errors."""
        self._handlers.setdefault(signal.SIGPIPE, signal.SIG_IGN)
        self._handlers.setdefault(signal.SIGXFSZ, signal.SIG_IGN)
        self._handlers.setdefault(signal.SIGINT, signal.default_int_handler)

    def inherit(self, parent: SignalTable) -> None:
        """After fork and exec: ignored signals stay ignored, all others are default; the mask is kept."""
        self._handlers = {number: signal.SIG_IGN for number, one in parent._handlers.items() if one is signal.SIG_IGN}
        self.blocked = parent.blocked

    def get(self, number: int) -> Handler:
        """What `signal.getsignal` answers."""
        return self._handlers.get(number, signal.SIG_DFL)

    def set(self, number: int, handler: Handler) -> Handler:
        """What `signal.signal` does. Raises OSError (EINVAL) for SIGKILL and SIGSTOP."""
        if number in _UNCATCHABLE:
            raise failure(errno.EINVAL)
        before = self.get(number)
        self._callbacks.pop(number, None)
        self._handlers[number] = handler
        return before

    def on(self, number: int, callback: Callable[[], None]) -> None:
        """Call `callback` in the main thread at each delivery (an event loop's handler)."""
        self.set(number, _loop_handles)
        self._callbacks[number] = callback

    def ignores_children(self) -> bool:
        """Whether dead children are reaped unasked."""
        return self.get(signal.SIGCHLD) is signal.SIG_IGN

    def clear(self) -> None:
        """The process is dead."""
        self._callbacks.clear()
        self._queued.clear()

    def deliver(self, number: int, *, here: bool = False) -> None:
        """Send the process a signal; with `here`, its main thread heeds it before this returns if it is the caller."""
        process = self._process
        if not process.alive or not number:
            return
        number = int(number)  # what handlers get, whoever sent it
        self._machine.kernel.record("signal", process.name, process.pid, number)
        if number == signal.SIGKILL:
            process.kill(-signal.SIGKILL)
        elif number == signal.SIGSTOP:
            process.pause()
        else:
            if number == signal.SIGCONT:
                process.resume()
            self._queue(number, here)

    def _queue(self, number: int, here: bool) -> None:
        if number in self.blocked:
            if number not in self.pending:
                self.pending.append(number)
            self.arrived.notify_all()
            return
        handler = self.get(number)
        if handler is signal.SIG_IGN or (handler is signal.SIG_DFL and number in _IGNORED):
            return
        if handler is signal.SIG_DFL and self._process.state is ProcessState.RUNNING:
            self._default(number)
            return
        main = self._process.main
        if here and main is not None and current_thread() is main:
            self._heed(number)
        elif number not in self._queued and main is not None:
            # A second one before the first was heeded is the same one (signal(7), standard signals).
            self._queued.add(number)
            self._machine.kernel.interrupt(main, lambda: self._heed(number))

    def _default(self, number: int) -> None:
        if number in _STOPPING:
            self._process.pause()
        else:
            try:
                self._process.kill(-number)
            except SimError as error:
                raise SimError(f"{signal.Signals(number).name} without a handler: {error}") from None

    def _heed(self, number: int) -> None:
        self._queued.discard(number)
        handler = self.get(number)
        if handler is signal.SIG_DFL:
            self._default(number)
        if not callable(handler) or handler is signal.SIG_IGN:
            return
        self.handled += 1
        self.arrived.notify_all()
        self._write_wakeup(number)
        callback = self._callbacks.get(number)
        if callback is not None:
            callback()
        else:
            handler(number, sys._getframe(1))

    def _write_wakeup(self, number: int) -> None:
        entry = self._machine.state(self._process).table.entries.get(self.wakeup_fd)
        if entry is not None:
            with contextlib.suppress(OSError):
                entry.file.write(bytes([number]))

    def mask(self, blocked: frozenset[int]) -> None:
        """Replace the set of blocked signals; what waited for that is delivered."""
        self.blocked = blocked - _UNCATCHABLE
        for number in [number for number in self.pending if number not in self.blocked]:
            self.pending.remove(number)
            self._queue(number, here=True)


def _loop_handles(number: int, frame: object) -> None:
    """Stands in `signal.getsignal` for a signal that an event loop handles."""


def table_of(process: SimProcess) -> SignalTable:
    """The signals of a process of a world with a machine."""
    machine: Machine = process.kernel.machine  # type: ignore[attr-defined]
    return machine.state(process).signals


def on(process: SimProcess, number: int, callback: Callable[[], None]) -> None:
    """Call `callback` in the main thread of `process` when it gets signal `number`.

    :raises RuntimeError: not called by the main thread.
    """
    _require_main(RuntimeError("set_wakeup_fd only works in main thread of the main interpreter"))
    try:
        table_of(process).on(number, callback)
    except OSError as error:
        raise RuntimeError(f"sig {number} cannot be caught") from error


def off(process: SimProcess, number: int) -> None:
    """Let signal `number` do what it does in a new interpreter."""
    table_of(process).set(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _require_main(error: Exception) -> None:
    thread = current_thread()
    if thread is None or thread is not thread.process.main:
        raise error
