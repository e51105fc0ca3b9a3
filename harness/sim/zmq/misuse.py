"""Reports what libzmq answers with a crash, a lost message or a process that stands still for ever.

One socket used by two threads at once (measured: "double free or corruption"): it is never right. A socket may move
from one thread to another between calls; that is not reported. A call that tells an event to a monitor to which nobody
listens: it waits with Python's lock (measured: no other thread runs again, no signal's handler either).
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sim.errors import Killed, Misuse, NotSimulated

if TYPE_CHECKING:
    from harness.sim.thread import SimThread
    from harness.sim.zmq.core import SocketCore

_DEPTH = 12
_OWN = str(Path(__file__).resolve().parents[1])


def shared(core: SocketCore, inside: SimThread) -> Misuse:
    """The error for a call on `core` while thread `inside` waits in another one; holds both stacks."""
    me = core.kernel.current
    mine = me.label if me is not None else "a timer"
    return Misuse(
        f"socket {core} is used by two threads at once, which libzmq answers with a crash or lost messages. "
        f"Give each thread a socket of its own, or hand it over between calls.\n"
        f"Thread {inside.label} waits inside of a call:\n{_stack(inside.ident)}"
        f"Thread {mine} makes another call now:\n{_stack(None)}"
    )


def unheard(core: SocketCore, call: str, event: str) -> Misuse:
    """The error for a call on `core` that has an event to tell while nobody listens to its monitor."""
    return Misuse(
        f"{call}() of socket {core} would never return, and no other thread of its process would run again: it tells "
        f"{event} to the socket's monitor, nobody listens there, and libzmq waits while pyzmq holds Python's lock. "
        f"Connect a PAIR socket to the monitor's address before, keep it open until the monitor is disabled, and read "
        f"from it; get_monitor_socket() does so"
    )


def outsider(core: SocketCore, me: SimThread | None) -> None:
    """A caller that may not use simulated sockets. Raises Killed or NotSimulated."""
    if me is not None:
        core.kernel.check()
        raise Killed
    raise NotSimulated(
        f"socket {core} belongs to a simulated world and is used by a thread outside of it; "
        f"use it in threads that were started inside"
    )


def _stack(ident: int | None) -> str:
    frame = sys._getframe(1) if ident is None else sys._current_frames().get(ident)
    if frame is None:
        return "  (its stack is not known)\n"
    entries = [entry for entry in traceback.extract_stack(frame) if not entry.filename.startswith(_OWN)]
    return "".join(traceback.StackSummary.from_list(entries[-_DEPTH:]).format())
