"""The kernel of the simulated world: one baton, many real threads, virtual time."""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop
from typing import TYPE_CHECKING, Any

from harness.sim.errors import Killed, ReplayDiverged, SimError, ThreadFailed
from harness.sim.process import FIRST_PID, SimProcess
from harness.sim.reports import deadlock, livelock, stuck
from harness.sim.tape import Tape
from harness.sim.thread import LOCAL, Reason, SimThread, current_thread
from harness.sim.timers import Timer, Timers, us
from harness.sim.trace import Trace
from harness.sim.unwinding import Unwinding
from harness.sim.waiting import WaitQueue
from harness.sim.watchdog import Watchdog

if TYPE_CHECKING:
    import threading

__all__ = ["Kernel", "current_thread", "us"]

EPOCH = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds since 1970."""


class Kernel:
    """Decides who runs and what time it is.

    Simulated threads are real ones, each held by a lock of its own: its baton. Exactly one runs at any time, until it
    parks or yields; nothing is preempted. When nobody can run, time jumps to the next deadline or timer. All calls
    are made by the thread that holds the baton.

    >>> with Kernel(seed=1) as kernel:
    ...     kernel.sleep(us(3600))
    ...     kernel.now
    3600000000

    :param seed: of every choice, unless `tape` says otherwise.
    :param tape: where choices come from; default: a new one for `seed`.
    :param step_cost: microseconds that pass each time a thread gets the baton, so that load has an effect.
    :param livelock: that many steps without time passing are reported as `Livelock`.
    :param trace: takes in what happens; default: one that keeps the hash only.
    :param epoch: wall time at the start, microseconds since 1970.
    :param deviate: per cent of lock hand-overs that do not go to the thread that waited longest.
    :param patience: real seconds without any step after which the watchdog says who holds the baton; 0: none.
    :ivar now: microseconds since the start of the world.
    :ivar current: the thread that holds the baton; None in a timer's callback.
    :ivar failure: the first error that ends the world; raised in the main thread.
    :ivar on_leave: called with the process whose threads stop running, before `on_enter`.
    :ivar on_enter: called with the process whose threads run from now on.
    :ivar on_close: called when the world has ended, every thread being unwound.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        tape: Tape | None = None,
        step_cost: int = 0,
        livelock: int = 200_000,
        trace: Trace | None = None,
        epoch: int = EPOCH,
        deviate: int = 0,
        patience: float = 30.0,
    ) -> None:
        self.seed = seed
        self.now = 0
        self.epoch = epoch
        self.tape = tape if tape is not None else Tape(seed)
        self.trace = trace if trace is not None else Trace()
        self.step_cost = step_cost
        self.deviate = deviate
        self.livelock = livelock
        self.failure: BaseException | None = None
        self.ready: deque[SimThread] = deque()
        self.threads: list[SimThread] = []
        self.processes: list[SimProcess] = []
        self.on_leave: list[Callable[[SimProcess], None]] = []
        self.on_enter: list[Callable[[SimProcess], None]] = []
        self.on_close: list[Callable[[], None]] = []
        self.switches = 0
        self.steps = 0
        self.unwinding = False
        self.lost: list[SimThread] = []
        """Threads that did not end when the world was unwound: they sleep for ever, or still compute."""
        self.timers = Timers()
        self._idle = 0
        self._raise: BaseException | None = None
        self._factories: dict[tuple[object, str], Callable[[], Any]] = {}
        self._watchdog = Watchdog(self, patience)
        self.current: SimThread | None = None
        self.current_process: SimProcess
        self.main: SimThread

    # -- beginning, end -----------------------------------------------------------------------------------------------

    def open(self) -> Kernel:
        """Make the calling thread the main thread of the world's first process, "harness".

        :raises SimError: the caller is in a world already.
        """
        if LOCAL.thread is not None:
            raise SimError("a world is open in this thread already; worlds do not nest")
        process = self.new_process("harness")
        self.current_process = process
        self.main = self.current = self._new_thread(process, "MainThread")
        process.main = self.main
        self.main.ident = _thread.get_ident()
        LOCAL.thread = self.main
        self._watchdog.start()
        return self

    def unwind(self) -> None:
        """End every thread but the caller, with `Killed`; what they still do on their way has no effect."""
        if not self.unwinding:
            Unwinding(self).run()

    def close(self) -> None:
        """Unwind what is left, then let go of the calling thread; values of the first process are put back."""
        try:
            self.unwind()
        finally:
            self._watchdog.stop()
            self.current = self.main
            self.change_process(self.main.process)
            for callback in self.on_close:
                callback()
            self.timers.heap.clear()
            self.ready.clear()
            LOCAL.thread = None

    def __enter__(self) -> Kernel:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- threads, processes -------------------------------------------------------------------------------------------

    def new_process(
        self,
        name: str,
        *,
        parent: SimProcess | None = None,
        argv: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> SimProcess:
        """A process without threads yet; `env` and `cwd` default to its parent's."""
        if parent is not None:
            env = parent.env if env is None else env
            cwd = parent.cwd if cwd is None else cwd
        pid = FIRST_PID + len(self.processes)
        process = SimProcess(self, pid, name, parent=parent, argv=argv, env=env, cwd=cwd or "/")
        process.locals = {key: factory() for key, factory in self._factories.items()}
        self.processes.append(process)
        return process

    def process_local(self, holder: object, attribute: str, factory: Callable[[], Any]) -> None:
        """Let every process have a value of its own of a module's or object's attribute.

        The running process keeps the present value; the others, those to come as well, get ``factory()``.
        """
        key = (holder, attribute)
        self._factories[key] = factory
        for process in self.processes:
            if process is not self.current_process:
                process.locals[key] = factory()

    def _new_thread(self, process: SimProcess, name: str) -> SimThread:
        nth = process.names[name] = process.names.get(name, 0) + 1
        label = f"{process.name}/{name}" if nth == 1 else f"{process.name}/{name}#{nth}"
        thread = SimThread(self, process, name, label, len(self.threads) + 1)
        thread.ended = WaitQueue(self, f"the end of thread {label}")
        process.threads.append(thread)
        self.threads.append(thread)
        return thread

    def spawn(
        self,
        process: SimProcess,
        name: str,
        run: Callable[[], object],
        *,
        thread: threading.Thread | None = None,
    ) -> SimThread:
        """Start a thread that runs `run` once it is chosen; never switches. A process's first one is its main thread.

        What `run` lets escape ends the world with `ThreadFailed`. When the main thread's `run` returns, its process
        exits, with the code that `run` returned if that is an int, else 0.
        """
        me = self.current
        if me is not None and me.killed:
            raise Killed
        made = self._new_thread(process, name)
        made.thread = thread
        if process.main is None:
            process.main = made
        self.record("spawn", made.label)
        made.ident = _thread.start_new_thread(self._bootstrap, (made, run))
        made.lane.append(made)
        return made

    def _bootstrap(self, me: SimThread, run: Callable[[], object]) -> None:
        me.baton.acquire()
        LOCAL.thread = me
        code: object = None
        try:
            if not me.killed:
                me.reason = ""
                code = run()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - reported in the main thread
            if not me.killed:
                self.fail(_failed(f"thread {me.label}", error))
                code = 1
        del run
        self._end(me, code)
        LOCAL.thread = None

    def _end(self, me: SimThread, code: object) -> None:
        """Take a thread out of the world, then pass the baton on."""
        me.done = True
        if self.unwinding:
            self.main.baton.release()
            return
        self.record("end")
        if me is me.process.main:
            me.process._die(code if isinstance(code, int) else 0)
        me.process.threads.remove(me)
        self.threads.remove(me)
        me.ended.notify_all()
        following = self._pick()
        self.give(following)

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
        itself): look at the condition again, or use `WaitQueue`, which does.

        :param reason: what is waited for, for reports.
        """
        me = self.current
        if me is None:
            me = self.running()
        if me.alarm:
            self._alarm(me)
        me.parked = True
        me.woken = False
        me.interrupted = False
        me.reason = reason
        me.since = self.now
        if timeout is not None:
            me.deadline = self.timers.add(self.now + timeout, me)
        try:
            self._switch(me)
            if me.alarm:
                self._alarm(me)
                while me.parked:
                    self._switch(me)
                    self._alarm(me)
        finally:
            if me.deadline:
                me.deadline = 0
                self.timers.stale()
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

    def interrupt(self, thread: SimThread, callback: Callable[[], None]) -> None:
        """Run `callback` in `thread` as soon as it gets the baton; a wait is resumed afterwards (PEP 475).

        What `callback` raises ends the wait. Callbacks of dead threads are dropped.
        """
        if not thread.alive:
            return
        thread.interrupts.append(callback)
        thread.alarm = True
        if thread.parked and not thread.interrupted:
            thread.interrupted = True
            thread.lane.append(thread)

    def yield_(self) -> None:
        """Let other threads go that can; returns when it is this thread's turn again."""
        me = self.running()
        if me.alarm:
            self._alarm(me)
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
        if me is not None and not me.process.alive:
            while not me.alarm:
                self._switch(me)
            self._alarm(me)

    def check(self) -> None:
        """Raise `Killed` in a thread that is being unwound: for simulated calls that do not wait."""
        me = LOCAL.thread
        if me is not None and me.killed:
            self._alarm(me)

    # -- timers, choices, trace ---------------------------------------------------------------------------------------

    def call_at(self, when: int, callback: Callable[[], None], label: str = "") -> Timer:
        """Call `callback` at world time `when` (µs), with the baton but in no thread's name: it must not wait.

        What it raises ends the world with `ThreadFailed`. Of the same time, the first set fires first.
        """
        timer = Timer(self.timers, max(when, self.now), callback, label)
        self.timers.add(timer.when, timer)
        return timer

    def call_later(self, delay: int, callback: Callable[[], None], label: str = "") -> Timer:
        """`call_at`, `delay` microseconds from now."""
        return self.call_at(self.now + delay, callback, label)

    def choose(self, stream: str, n: int, label: str) -> int:
        """A number 0..n-1 from the tape; 0 is the plain choice. One of one is no choice and leaves no mark.

        :raises ReplayDiverged: the tape to be replayed holds another choice here.
        """
        if n == 1:
            return 0
        try:
            value = self.tape.choose(stream, n, label)
        except ReplayDiverged as error:
            self.fail(error)
            raise
        self.record("choice", stream, label, value)
        return value

    def draw(self, stream: str, low: int, high: int, label: str) -> int:
        """A whole number from `low` to `high`, both included; `low` is the plain choice."""
        return low + self.choose(stream, high - low + 1, label)

    def record(self, kind: str, *detail: str | int) -> None:
        """Enter an event into the trace: nothing that differs from run to run or between Pythons."""
        current = self.current
        self.trace.add(self.now, current.label if current is not None else "-", kind, detail)

    # -- the inner loop -----------------------------------------------------------------------------------------------

    def _switch(self, me: SimThread) -> None:
        """Pass the baton to who is next, then wait until it comes back."""
        following = self._pick()
        if following is me:
            self.current = me
            return
        self.give(following)
        try:
            me.baton.acquire()
        except BaseException as error:  # noqa: BLE001 - a signal's handler raised, in the world's main thread
            self._interrupted(me, error)

    def give(self, following: SimThread) -> None:
        """Pass the baton on; the caller goes on as well, and must wait or end."""
        self.switches += 1
        self.current = following
        process = following.process
        if process is not self.current_process:
            self.change_process(process)
        following.baton.release()

    def _pick(self) -> SimThread:
        """Who runs next. Lets time pass when nobody can."""
        ready = self.ready
        heap = self.timers.heap
        self.current = None
        try:
            while self._raise is None:
                if heap and heap[0][0] <= self.now:
                    self._fire()
                elif ready:
                    self._step()
                    n = len(ready)
                    if n == 1:
                        return ready.popleft()
                    index = self.tape.choose("sched", n, ready[0].label)
                    thread = ready[index]
                    del ready[index]
                    self.trace.add(self.now, thread.label, "run", (n,))
                    return thread
                elif heap:
                    self._idle = 0
                    self.now = heap[0][0]
                else:
                    raise deadlock(self)
        except (SimError, LookupError) as error:
            self.fail(error)
        return self._main_next()

    def _step(self) -> None:
        self.steps += 1
        self._idle += 1
        if self.step_cost:
            self.now += self.step_cost
            self._idle = 0
        if self._idle > self.livelock:
            self._idle = 0
            raise livelock(self)

    def _fire(self) -> None:
        """The first entry of the heap is due: wake its thread, or call it."""
        _, number, who = heappop(self.timers.heap)
        if isinstance(who, SimThread):
            if who.deadline == number:
                who.deadline = 0
                if who.parked:
                    who.parked = False
                    if not who.interrupted:
                        who.lane.append(who)
            return
        callback = who.callback
        if callback is not None:
            who.callback = None
            self._step()
            if who.label:
                self.record("timer", who.label)
            self.guarded(callback, "a timer's callback")

    # -- out of the ordinary ------------------------------------------------------------------------------------------

    def change_process(self, process: SimProcess) -> None:
        """Swap the globals that every process has for itself."""
        old = self.current_process
        for hook in self.on_leave:
            hook(old)
        if self._factories:
            old.locals = {(holder, name): getattr(holder, name) for holder, name in self._factories}
            for (holder, name), value in process.locals.items():
                setattr(holder, name, value)
        self.current_process = process
        for hook in self.on_enter:
            hook(process)

    def guarded(self, callback: Callable[[], None], what: str) -> None:
        """Call in no thread's name; what it raises ends the world with `ThreadFailed`."""
        before = self.current
        self.current = None
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - reported in the main thread
            self.fail(_failed(f"{what} ({getattr(callback, '__qualname__', callback)})", error))
        finally:
            self.current = before

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the world's main thread as soon as it gets the baton, which is next."""
        if self.failure is None:
            self.failure = error
        if self._raise is None:
            self._raise = error
        self.main.alarm = True

    def _main_next(self) -> SimThread:
        main = self.main
        if main in self.ready:
            self.ready.remove(main)
        return main

    def _alarm(self, me: SimThread) -> None:
        """Something unusual waits for `me`: its end, the world's failure, or callbacks to run first."""
        if me.killed:
            me.parked = False
            Unwinding.again(self, me)
        me.alarm = False
        if me is self.main and self._raise is not None:
            error, self._raise = self._raise, None
            me.parked = False
            me.alarm = bool(me.interrupts)
            raise error
        waited = me.parked
        me.interrupted = True
        """So that a callback which wakes this very thread does not queue it while it runs."""
        try:
            while me.interrupts:
                me.interrupts.popleft()()
        except BaseException:
            me.parked = False
            me.alarm = bool(me.interrupts)
            raise
        finally:
            nested = not me.interrupted
            me.interrupted = False
        if waited and nested:
            me.parked = False
            me.woken = True

    def _interrupted(self, me: SimThread, error: BaseException) -> None:
        """A real signal's handler raised in the main thread while another one holds the baton: take it over first."""
        self.fail(error)
        if not me.baton.acquire(timeout=Unwinding.PATIENCE):
            self.unwinding = True
            error.add_note(stuck(self))
            raise error


def _failed(what: str, error: BaseException) -> ThreadFailed:
    failed = ThreadFailed(f"{what} ended with {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
