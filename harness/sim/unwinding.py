"""The end of a world: its threads are unwound one by one, and nothing they still do has an effect."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from harness.sim.boundary.audit import HOOK
from harness.sim.errors import Killed
from harness.sim.thread import LOCAL

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.scheduler import Scheduler
    from harness.sim.thread import SimThread

EFFECTS = {
    "os": "chflags chmod chown exec fork forkpty kill killpg link mkdir posix_spawn putenv remove rename rmdir symlink "
    "system truncate unsetenv utime",
    "shutil": "copyfile copytree move rmtree",
    "socket": "bind connect sendmsg sendto",
    "sqlite3": "connect",
    "subprocess": "Popen",
    "tempfile": "mkdtemp mkstemp",
}
"""Audit events of effects on the real world, by module."""
EVENTS = ("open", *(f"{module}.{name}" for module, names in EFFECTS.items() for name in names.split()))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


PATIENCE = 10.0
"""Real seconds a thread gets to end."""
REPEATS = 1000
"""How often a thread may swallow `Killed` before it is left where it is, for ever."""


def unwind(kernel: Kernel, threads: Iterable[SimThread]) -> None:
    """End these threads, none of which is the caller's, one after the other. Those that never end are left behind."""
    me = LOCAL.thread
    assert me is not None
    HOOK.watch(EVENTS, _audit)
    kernel.undertaker = me
    kernel.unwinding = True
    # Executors log what ended their workers, whatever it is.
    before = logging.root.manager.disable
    logging.disable(sys.maxsize)
    try:
        for thread in threads:
            thread.killed = thread.alarm = thread.gone = True
            kernel.give(thread)
            if not me.baton.acquire(timeout=PATIENCE):
                kernel.lost.append(thread)
    finally:
        logging.disable(before)
        if not kernel.lost:  # those may still do something one day
            HOOK.rest(_audit)
        kernel.unwinding = False
        kernel.current = me
        if me.process is not kernel.current_process:
            kernel.change_process(me.process)


@contextlib.contextmanager
def unwound(kernel: Kernel) -> Iterator[None]:
    """Let nothing have an effect, as if the calling thread, the main one, were being unwound.

    For the collector: it ends coroutines of the dead, whose ``finally`` must not tidy up what a kill left.
    """
    me, told = kernel.main, sys.unraisablehook
    HOOK.watch(EVENTS, _audit)
    kernel.unwinding = me.killed = True
    alarm, me.alarm = me.alarm, True
    before, me.kills = me.kills, -sys.maxsize
    sys.unraisablehook = lambda unraisable: None
    silenced = logging.root.manager.disable
    logging.disable(sys.maxsize)
    try:
        yield
    finally:
        logging.disable(silenced)
        sys.unraisablehook = told
        me.kills, me.alarm = before, alarm
        kernel.unwinding = me.killed = False
        if not kernel.lost:
            HOOK.rest(_audit)


def killed_again(kernel: Scheduler, me: SimThread) -> NoReturn:
    """Raise `Killed` in a thread that is being unwound; one that will not die goes to sleep for ever."""
    me.kills += 1
    if me.kills > REPEATS:
        kernel.lost.append(me)
        kernel.undertaker.baton.release()
        while True:
            me.baton.acquire()
    raise Killed


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """Refuse real effects to threads that are being unwound, with `Killed`."""
    me = LOCAL.thread
    if me is None or not me.killed:
        return
    if event == "open" and not (isinstance(args[2], int) and args[2] & WRITING):
        return
    raise Killed
