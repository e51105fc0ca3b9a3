"""The inner loop of the simulated world: who runs next, and what time it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop
from typing import TYPE_CHECKING

from harness.sim.errors import SimError, ThreadFailed
from harness.sim.polling import SPINS, Armed, crowd, turned
from harness.sim.reports import deadlock, livelock, stuck
from harness.sim.tape import Tape
from harness.sim.thread import Reason, SimThread
from harness.sim.timers import Timer, Timers
from harness.sim.trace import Trace
from harness.sim.unwinding import PATIENCE, killed_again

if TYPE_CHECKING:
    from harness.sim.process import SimProcess

MOMENT = 0.2
"""Real seconds in which a baton comes that is on its way."""


class Scheduler:
    """Passes one baton between threads. Everything here is called by the thread that holds it.

    A thread that can run stands in `ready`, a waiting one nowhere, a thread of a paused process in that process's lane.

    :ivar now: microseconds since the start of the world.
    :ivar current: the thread that holds the baton; None in a timer's callback.
    :ivar failure: the first error that ended the world; raised in the main thread.
    :ivar switches: how often the baton went to another thread.
    :ivar steps: how often a thread got to run, or a timer fired.
    """

    main: SimThread
    undertaker: SimThread
    """Who unwinds threads at present, and waits for their end."""
    current_process: SimProcess

    def __init__(self, tape: Tape, trace: Trace, *, step_cost: int, livelock: int) -> None:
        self.now = 0
        self.current: SimThread | None = None
        self.ready: deque[SimThread] = deque()
        self.timers = Timers()
        # Names of the inner loop: looking them up through two objects is a tenth of its time.
        self._heap = self.timers.heap
        self._enter = self.timers.add
        self.tape = tape
        self.trace = trace
        self.step_cost = step_cost
        self.livelock = livelock
        self.failure: BaseException | None = None
        self.switches = 0
        self.steps = 0
        self.unwinding = False
        """Some thread is being unwound right now."""
        self.broken = False
        """The main thread runs without the baton: nothing can be unwound any more."""
        self.lost: list[SimThread] = []
        """Threads that did not end when the world was unwound: they sleep for ever, or still compute."""
        # Where every step takes time, there is no livelock, and every step has to look.
        self._grace = 0 if step_cost else livelock
        self._patience = self._grace
        """The step at which it is a livelock, unless time passes before."""
        self._crowded = -1
        """When many threads were let turn on that only give way to each other."""
        self._raise: BaseException | None = None
        self.threads: list[SimThread] = []
        self.processes: list[SimProcess] = []

    # -- waiting ------------------------------------------------------------------------------------------------------

    def running(self) -> SimThread:
        """The thread that holds the baton.

        :raises SimError: a timer's callback runs, which must not wait.
        """
        if self.current is None:
            raise SimError("a timer's callback tried to wait; let it wake a thread that waits instead")
        return self.current

    def park(self, reason: Reason, timeout: int | None = None) -> bool:
        """Wait until `wake` or for `timeout` microseconds. True: woken, False: timed out.

        A `wake` counts only while the thread is parked; one before is forgotten. As nothing is preempted, whoever looks
        at a condition and then parks misses no wake. Wake-ups may be spurious (a signal's handler that waited
        itself): look at the condition again, or use `WaitQueue`, which does. A time-out of 0 gives others their turn;
        who does nothing else at one instant polls, and is let wait, see `polling`: look again when it timed out, too.

        :param reason: what is waited for, for reports.
        """
        me = self.current or self.running()
        if me.alarm:
            self._alarm(me)
        me.parked = True
        me.woken = me.interrupted = False
        me.reason = reason
        me.since = now = self.now
        if timeout is not None:
            me.deadline = self._enter(now + timeout, me)
        try:
            self._switch(me)
            while me.alarm or me.parked:
                self._alarm(me)
                if me.parked:
                    self._switch(me)
        finally:
            me.parked = False
            if me.deadline:
                me.deadline = 0
                self.timers.stale()
        if timeout == 0 and not me.woken:
            turned(self, me, None)  # others may have brought meanwhile what it looks for: it is told so by a flag
            return False
        return me.woken

    def wake(self, thread: SimThread) -> bool:
        """Let a parked thread go on; False, without any effect, when it is not parked."""
        if not thread.parked:
            return False
        thread.parked = False
        thread.woken = True
        if not thread.interrupted:
            thread.lane.append(thread)
        return True

    def interrupt(self, thread: SimThread, callback: Callable[[], object]) -> None:
        """Run `callback` in `thread` as soon as it gets the baton; a wait is resumed afterwards (PEP 475).

        What `callback` raises ends the wait. Callbacks of dead threads are dropped.
        """
        if thread.gone:
            return
        thread.interrupts.append(callback)
        thread.alarm = True
        if thread.parked and not thread.interrupted:
            thread.interrupted = True
            thread.lane.append(thread)

    def yield_(self, armed: Armed | None = None) -> None:
        """Let other threads go that can; returns when it is this thread's turn again.

        Who does nothing else at one instant polls, and is let wait, see `polling`.

        :param armed: gives the timers of the caller's event loop.
        """
        me = self.current or self.running()
        if me.alarm:
            self._alarm(me)
        if turned(self, me, armed):
            return
        heap = self._heap
        if (
            not self.ready
            and me.lane is self.ready
            and self.steps < self._patience
            and not (heap and heap[0][0] <= self.now)
        ):
            self.steps += 1
            return
        # A handler that yields inside a wait ends that wait: see `park` on spurious wake-ups.
        me.parked = me.interrupted = False
        me.woken = True
        me.reason = "its turn"
        me.since = self.now
        me.lane.append(me)
        self._switch(me)
        if me.alarm:
            self._alarm(me)

    def sleep(self, duration: int) -> None:
        """Wait for `duration` microseconds; 0 yields."""
        if duration <= 0:
            self.yield_()
            return
        end = self.now + duration
        while self.now < end:
            self.park("its sleep", end - self.now)

    def stop_if_dead(self) -> None:
        """Never return to a thread whose process has died, except by `Killed` at the end of the world."""
        me = self.current
        if me is not None and me.gone:
            while not me.alarm:
                self._switch(me)
            self._alarm(me)

    # -- passing the baton --------------------------------------------------------------------------------------------

    def _switch(self, me: SimThread) -> None:
        """Pass the baton to who is next, then wait until it comes back."""
        following = self._pick()
        if following is me:
            self.current = me
            return
        try:
            self.give(following)
            me.take()
        except BaseException as error:  # noqa: BLE001 - a signal's handler raised, in the world's main thread
            self._interrupted(me, error)

    def give(self, following: SimThread) -> None:
        """Pass the baton on; the caller goes on as well, and must wait or end."""
        self.switches += 1
        self.current = following
        if following.process is not self.current_process:
            try:
                self.change_process(following.process)
            except Exception as error:  # noqa: BLE001 - raised in the main thread
                following = self._not_changed(following, error)
        following.pass_on()

    def _not_changed(self, following: SimThread, error: Exception) -> SimThread:
        """A process could not be swapped in, which ends the world: who has the baton instead. Else it would be lost."""
        self.failed(f"the change to process {following.process.label}", error)
        if self.unwinding:
            return following
        self.current = self.main
        with suppress(Exception):  # told already
            self.change_process(self.main.process)
        return self.main

    def change_process(self, process: SimProcess) -> None:
        """The threads that run from now on are those of `process`."""
        self.current_process = process

    def _pick(self) -> SimThread:
        """Who runs next. Lets time pass when nobody can."""
        ready = self.ready
        heap = self._heap
        moment = self.trace.moment
        try:
            while self._raise is None:
                if heap and heap[0][0] <= self.now:
                    self._fire()
                elif ready:
                    self.steps = steps = self.steps + 1
                    if steps > self._patience:
                        self._tired()
                    n = len(ready)
                    if n == 1:
                        return ready.popleft()
                    return self._choose(n)
                elif heap:
                    when, number, who = heap[0]
                    if who.deadline == number:
                        self.now = when
                        self._patience = self.steps + self._grace
                        moment(when)
                    else:
                        heappop(heap)
                else:
                    raise deadlock(self)
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self.fail(error)
        # The world has failed: its main thread is next, whatever it waits for.
        if self.main in ready:
            ready.remove(self.main)
        return self.main

    def _choose(self, n: int) -> SimThread:
        ready = self.ready
        index = self.tape.choose("sched", n, ready[0].label)
        thread = ready[index]
        del ready[index]
        self.trace.add(self.now, thread.label, "run", (n,))
        return thread

    def _tired(self) -> None:
        """Either every step costs time, or it is a livelock."""
        if not self.step_cost:
            self._patience = self.steps + self._grace
            if self._crowded != self.now and self._grace > SPINS:
                self._crowded = self.now
                more = crowd(self)
                if more:
                    self._patience = self.steps + more
                    return
            raise livelock(self)
        self.now += self.step_cost

    def _fire(self) -> None:
        """The first entry of the heap is due: let its thread go on, or call it."""
        _, number, who = heappop(self._heap)
        if who.deadline != number:
            return
        who.deadline = 0
        if isinstance(who, Timer):
            self.steps += 1
            if self.steps > self._patience:
                self._tired()
            if who.label:
                self.trace.add(self.now, "-", "timer", (who.label,))
            self.guarded(who.callback, "a timer's callback")
        elif who.parked:
            who.parked = False
            if not who.interrupted:
                who.lane.append(who)

    # -- out of the ordinary ------------------------------------------------------------------------------------------

    def guarded(self, callback: Callable[[], object], what: str) -> None:
        """Call in no thread's name; what it raises ends the world with `ThreadFailed`."""
        before = self.current
        self.current = None
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self.failed(f"{what} ({getattr(callback, '__qualname__', callback)})", error)
        finally:
            self.current = before

    def failed(self, what: str, error: BaseException) -> None:
        """`fail` with a `ThreadFailed` that says whose error it is."""
        failure = ThreadFailed(f"{what} ended with {type(error).__name__}: {error}")
        failure.__cause__ = error
        self.fail(failure)

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the world's main thread as soon as it gets the baton, which is next."""
        if self.failure is None:
            self.failure = error
        if self._raise is None:
            self._raise = error
        self.main.alarm = True

    def give_up(self, me: SimThread, what: str) -> None:
        """A livelock of a thread that has the baton and must not go on with it; `what` happened too often, in words."""
        self.fail(livelock(self, what))
        if me is not self.main:
            me.lane.append(me)
            self._switch(me)
        if me.alarm:
            self._alarm(me)

    def _alarm(self, me: SimThread) -> None:
        """Something unusual waits for `me`: its end, the world's failure, or callbacks to run first."""
        if me.killed:
            killed_again(self, me)
        me.alarm = False
        if me is self.main and self._raise is not None:
            error, self._raise = self._raise, None
            me.alarm = bool(me.interrupts)
            raise error
        waited = me.parked
        # So that a callback which wakes this very thread does not queue it while it runs.
        me.interrupted = True
        try:
            while me.interrupts:
                me.interrupts.popleft()()
        finally:
            me.alarm = me.alarm or bool(me.interrupts)
            nested = not me.interrupted
            me.interrupted = False
        if waited and nested:
            me.parked = False
            me.woken = True

    def _interrupted(self, me: SimThread, error: BaseException) -> None:
        """A real signal's handler raised in the main thread while another one holds the baton: take it over first."""
        self.fail(error)
        for _ in range(round(PATIENCE / MOMENT)):
            mine = self.current is me
            # The handler may have run just after the baton came, too late to stop that: then it never comes again.
            if me.baton.acquire(timeout=MOMENT) or mine:
                return
        self.broken = True
        error.add_note(stuck(self))
        raise error
