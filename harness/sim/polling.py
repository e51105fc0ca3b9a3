"""Loops that look again and again without waiting: they are let wait, as the processor's time lets them in reality.

Time stands still while code computes. So ``while process.poll() is None: pass`` would keep the baton for ever, and
``while not done: time.sleep(0)`` would turn for ever at one instant. Both pay: calls that answer "not yet" beyond
`ASKS` in one turn of a thread, turns that wait for nothing beyond `SPINS` at one instant. The time that they pay is
their own; meanwhile others go, and what is due comes.

Nobody pays when nothing could ever change but by those who poll: they are let look again at once, whatever they still
had to pay, as one may have found meanwhile what it looks for, and bring it to the next. When that changes nothing
either, the count of looks ends it: then it is a livelock.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.sim.thread import LOCAL, SimThread

if TYPE_CHECKING:
    from harness.sim.scheduler import Scheduler

ASKS: Final = 1_000
"""Calls in one turn of a thread that may answer "not yet" for nothing: who looks at each of many queues polls none."""
SPINS: Final = 20_000
"""Turns of a thread at one instant that wait for nothing, after which every `POLLS` of them cost time."""
POLLS: Final = 100
DOUBLES: Final = 10
"""Payments of one price; the next ones are of twice as much, so that who polls for a second is not at it for hours."""
DEAREST: Final = 1_000
"""Microseconds that a call costs at most."""
DEAREST_TURNS: Final = 10_000
"""Microseconds that `POLLS` turns cost at most: for each a tenth of a millisecond, which a loop's turn may take."""
TIDY: Final = 100
"""Payments after which is collected what lies in cycles. The collector is off inside a world."""
MIDDLE: Final = 1
"""The generation that is collected then."""

Armed = Callable[[], Sequence[Any]]
"""Timers of an event loop, of which the kernel does not know while the loop turns: those not cancelled."""


def not_yet() -> None:
    """A simulated call that does not wait is about to answer "not yet". Outside of worlds: nothing.

    Call it where no lock is held: others may go before it returns.
    """
    me = LOCAL.thread
    if me is None:
        return
    kernel = me.kernel
    if me.asked_at != kernel.steps:
        me.asked_at = kernel.steps
        me.asked = me.vain = 0
    me.asked += 1
    if me.asked > ASKS and kernel.current is me and not kernel.unwinding:
        _asks_again(kernel, me)


Look = tuple[object, int]
"""Who looked how much there is of something, and how much there was."""


def looked(before: Look | None, size: int, *, patient: bool) -> Look | None:
    """A thread looks how much there is of something; what to give as `before` when somebody looks the next time.

    Who takes item after item looks too, and finds less each time. Finding as much as before it polls, for whatever.

    :param patient: the answer is "nothing there", or "no room", which is "not yet" even the first time.
    """
    me = LOCAL.thread
    if me is None:
        return None
    look = (me.baton, size)  # the baton is this thread's alone, and unlike the thread it keeps no world alive
    if patient or look == before:
        not_yet()
    return look


def _asks_again(kernel: Scheduler, me: SimThread) -> None:
    """One question more of a thread that polls."""
    me.armed_waits = False  # its loop does not turn while it asks
    if _hope(kernel, me):
        me.vain = 0
    else:
        me.vain += 1
        if me.vain > kernel.livelock:
            me.asked = me.vain = 0
            kernel.give_up(me, f"questions of {me.label} were answered with 'not yet'")
            return
        _let_look(kernel)
        if not kernel.ready:
            return  # alone in the world: let it ask until it has asked too often
    _pay(kernel, me, me.asked - ASKS, DEAREST)
    me.asked_at = kernel.steps  # its next question, a turn later, costs again: it is the same loop


def turned(kernel: Scheduler, me: SimThread, armed: Armed | None) -> bool:
    """One turn more of a thread that waits for nothing; whether it was let wait, far too many being of one instant."""
    if me.instant != kernel.now:
        me.instant = kernel.now
        me.turns = me.paid = 0
        return False
    me.turns += 1
    if me.turns <= SPINS or me.turns % POLLS:
        return False
    me.armed_waits = armed is not None and _waits_on(me, armed())
    if not me.armed_waits and not _hope(kernel, me):
        _let_look(kernel)
        return False
    me.paid += 1
    _pay(kernel, me, me.paid, DEAREST_TURNS)
    me.instant = kernel.now  # it is the same loop
    return True


def _pay(kernel: Scheduler, me: SimThread, paid: int, dearest: int) -> None:
    """Let time pass for this thread, the `paid`th time in a row, ever more of it; less when it is let look before."""
    me.paying = True
    try:
        kernel.park("its next look, as it polls", min(2 ** min((paid - 1) // DOUBLES, 14), dearest))
    finally:
        me.paying = False
    if paid % TIDY == 0:  # counted, hence at the same point of every run
        gc.collect(MIDDLE)


def _hope(kernel: Scheduler, me: SimThread) -> bool:
    """Something else will happen by itself than the next look of who polls: somebody works, or something is due."""
    now = kernel.now
    for thread in kernel.ready:
        spins = thread.paying or (thread.instant == now and thread.turns > SPINS)
        if thread is not me and not (spins and not thread.armed_waits):
            return True
    for _, number, who in kernel.timers.heap:
        if who.deadline == number and not (isinstance(who, SimThread) and who.paying and not who.armed_waits):
            return True
    return False


def crowd(kernel: Scheduler) -> int:
    """Steps in which those who can go on will all have turned often enough to pay; 0: they do not merely give way.

    Of twenty threads that wait for one thing, none has to pay yet when all together have made very many turns.
    """
    now, left = kernel.now, 0
    for thread in kernel.ready:
        if not thread.paying:
            if not thread.turns or thread.instant != now:
                return 0
            left += max(SPINS + POLLS - thread.turns, 0)
    return left


def _let_look(kernel: Scheduler) -> None:
    """Nobody owes anything any more: who pays has the next look now, for what has come true since its last one."""
    for _, number, who in list(kernel.timers.heap):
        if who.deadline == number and isinstance(who, SimThread) and who.paying:
            kernel.wake(who)


def _waits_on(me: SimThread, armed: Sequence[Any]) -> bool:
    """A timer of its loop has been armed since it was last asked: those that each turn arms anew are never due."""
    before = {id(timer) for timer in me.armed}
    me.armed = armed
    return any(id(timer) in before for timer in armed)
