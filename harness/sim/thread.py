"""A simulated thread: a real one that runs only while it holds the baton."""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading

    from harness.sim.kernel import Kernel
    from harness.sim.process import SimProcess
    from harness.sim.waiting import WaitQueue

Reason = str | Callable[[], str]
"""What a thread waits for: a text, or how to make one when a report asks for it."""


class SimThread:
    """One thread of a simulated process.

    :ivar name: as its owner calls it, e.g. ``ThreadPoolExecutor-0_1``.
    :ivar label: unique in the world and equal in every run, e.g. ``server/AnyIO worker thread#2``; used in traces.
    :ivar thread: its `threading.Thread`, None for threads started below that (``_thread.start_new_thread``).
    :ivar parked: it waits, until `Kernel.wake` or its deadline.
    :ivar woken: the last wait ended by a wake, not by its deadline.
    :ivar reason: what it waits for; meaningful while parked.
    :ivar since: microseconds of world time at which the wait began.
    :ivar ended: notified when it ends.
    :ivar gone: it has ended, or its process has: it never runs again, but to be unwound.
    :ivar killed: the world unwinds it: every simulated call it makes raises `Killed`.
    """

    __slots__ = (
        "alarm",
        "armed",
        "armed_waits",
        "asked",
        "asked_at",
        "baton",
        "daemon",
        "deadline",
        "done",
        "ended",
        "gone",
        "ident",
        "instant",
        "interrupted",
        "interrupts",
        "kernel",
        "killed",
        "kills",
        "label",
        "lane",
        "name",
        "number",
        "paid",
        "parked",
        "pass_on",
        "paying",
        "process",
        "reason",
        "since",
        "take",
        "thread",
        "turns",
        "vain",
        "woken",
    )

    def __init__(self, kernel: Kernel, process: SimProcess, name: str, label: str, number: int) -> None:
        self.kernel = kernel
        self.process = process
        self.name = name
        self.label = label
        self.number = number
        self.baton = _thread.allocate_lock()
        self.take = self.baton.acquire
        self.take()
        self.pass_on = self.baton.release
        self.lane: deque[SimThread] = process.lane
        """Where it queues once it can run: the kernel's ready threads, or those of its paused process."""
        self.parked = False
        self.woken = False
        self.deadline = 0
        """Number of the timer entry that ends the present wait; 0: none."""
        self.reason: Reason = "its start"
        self.since = kernel.now
        self.interrupts: deque[Callable[[], object]] = deque()
        self.interrupted = False
        """It is queued to run its interrupts although it still waits."""
        self.alarm = False
        """One flag for everything unusual that it has to look at when it gets the baton."""
        self.killed = False
        self.kills = 0
        self.done = False
        self.gone = False
        self.daemon = False
        self.thread: threading.Thread | None = None
        self.ident = 0
        # What `polling` counts:
        self.asked = 0
        """Calls in this turn that answered "not yet"."""
        self.asked_at = -1
        """The kernel's step at which that turn began."""
        self.vain = 0
        """Those of them that nobody could bring but threads that poll as well."""
        self.turns = 0
        """Turns at this instant that waited for nothing."""
        self.instant = -1
        self.paid = 0
        """How often time was let pass for such turns, in a row."""
        self.paying = False
        """It sleeps because it polls: nothing comes of that by itself."""
        self.armed: Sequence[Any] = ()
        """Timers of its event loop when it was last looked at."""
        self.armed_waits = False
        """One of them had been there before: something is due that is in no heap of the kernel."""
        self.ended: WaitQueue

    def why(self) -> str:
        """What it waits for, in words."""
        reason = self.reason
        if isinstance(reason, str):
            return reason
        try:
            return reason()
        except Exception as error:  # noqa: BLE001 - a report says what it can
            return f"something that cannot say what it is ({error!r})"

    def __repr__(self) -> str:
        return f"<SimThread {self.label}>"


class _Local(_thread._local):
    """Which simulated thread the calling real thread is. The default on the class saves every reader a try."""

    thread: SimThread | None = None


LOCAL = _Local()
"""Per real thread, hence no state that two worlds could share. Use `current_thread`."""


def current_thread() -> SimThread | None:
    """The simulated thread that calls; None when the caller is a thread outside every world (xdist, a live view)."""
    return LOCAL.thread
