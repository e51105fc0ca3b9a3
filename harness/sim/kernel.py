"""The kernel of the simulated world: one baton, many real threads, virtual time."""

from __future__ import annotations

import _thread
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.sim.errors import Killed, Livelock, ReplayDiverged, SimError
from harness.sim.own import OwnNames
from harness.sim.process import FIRST_PID, SimProcess
from harness.sim.scheduler import Scheduler
from harness.sim.tape import Tape
from harness.sim.thread import LOCAL, SimThread, current_thread
from harness.sim.timers import Timer, us
from harness.sim.trace import Trace
from harness.sim.unwinding import killed_again, unwind
from harness.sim.waiting import WaitQueue
from harness.sim.watchdog import Watchdog

if TYPE_CHECKING:
    import threading

__all__ = ["Kernel", "current_thread", "us"]

EPOCH = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds since 1970."""

_start_real_thread = _thread.start_new_thread

GRAVES = 200
"""Threads of dead processes that are kept as they are; beyond that they are unwound before the end of the world."""


class Kernel(Scheduler):
    """Decides who runs and what time it is.

    Simulated threads are real ones, each held by a lock of its own: its baton. Exactly one runs at any time, until it
    parks or yields; nothing is preempted. When nobody can run, time jumps to the next deadline or timer. All calls
    are made by the thread that holds the baton. How it decides is in `Scheduler`, where `park`, `wake` and `sleep` are.

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
    :param patience: real seconds without any step after which the watchdog says who holds the baton; after as many of
        processor time it is ended; 0: none.
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
        tape = Tape(seed) if tape is None else tape
        trace = Trace() if trace is None else trace
        super().__init__(tape, trace, step_cost=step_cost, livelock=livelock)
        self.seed = seed
        self.epoch = epoch
        self.deviate = deviate
        self.on_leave: list[Callable[[SimProcess], None]] = []
        self.on_enter: list[Callable[[SimProcess], None]] = []
        self.on_close: list[Callable[[], object]] = []
        self._own = OwnNames()
        self._watchdog = Watchdog(self, patience)
        self._started = 0

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
        self.disk: Any = None
        """The simulated disk, in a world that has one."""
        process.main = self.main
        self.main.ident = _thread.get_ident()
        LOCAL.thread = self.main
        self._watchdog.start()
        return self

    def unwind(self) -> None:
        """End every thread but the caller, with `Killed`; what they still do on their way has no effect."""
        if self._raise is not None and isinstance(self._raise, Livelock):
            # The watchdog raised it in the main thread as well, which need not meet it twice.
            self._raise, self.main.alarm = None, bool(self.main.interrupts)
        if not self.broken and LOCAL.thread is self.main:
            unwind(self, [thread for thread in self.threads if thread is not self.main and not thread.killed])

    def close(self) -> None:
        """Unwind what is left, then let go of the calling thread; values of the first process are put back."""
        if LOCAL.thread is not self.main:
            return
        try:
            self.unwind()
        finally:
            self._watchdog.stop()
            self.current = self.main
            try:
                self.change_process(self.main.process)
                for callback in self.on_close:
                    callback()
            finally:
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
        self._bury()
        pid = FIRST_PID + len(self.processes)
        process = SimProcess(self, pid, name, parent=parent, argv=argv, env=env, cwd=cwd or "/")
        process.values = self._own.new()
        self.processes.append(process)
        return process

    def _bury(self) -> None:
        """Unwind threads of dead processes early once there are many: each of them occupies a real thread."""
        dead = [thread for thread in self.threads if thread.gone and thread is not self.current and not thread.killed]
        if len(dead) > GRAVES and not self.unwinding:
            unwind(self, dead)
            self.threads = [thread for thread in self.threads if not thread.killed]

    def process_local(self, holder: object, attribute: str, factory: Callable[[], Any]) -> None:
        """Let every process have a value of its own of a module's or object's attribute.

        The running process keeps the present value; the others, those to come as well, get ``factory()``.
        """
        index = self._own.declare(holder, attribute, factory)
        for process in self.processes:
            value = None if process is self.current_process else factory()
            process.values[index : index + 1] = [value]

    def _new_thread(self, process: SimProcess, name: str) -> SimThread:
        nth = process.names[name] = process.names.get(name, 0) + 1
        label = f"{process.label}/{name}" if nth == 1 else f"{process.label}/{name}#{nth}"
        self._started += 1
        thread = SimThread(self, process, name, label, self._started)
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
        made.ident = _start_real_thread(self._bootstrap, (made, run))
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
            pass  # who was killed ends without a word
        except BaseException as error:  # noqa: BLE001 - reported in the main thread
            if not me.killed:
                self.failed(f"thread {me.label}", error)
                code = 1
        del run
        self._end(me, code)
        LOCAL.thread = None

    def _end(self, me: SimThread, code: object) -> None:
        """Take a thread out of the world, then pass the baton on."""
        me.done = True
        me.gone = True
        if me.killed:
            if me not in self.lost:
                self.undertaker.baton.release()
            return
        try:
            self.record("end")
            if me is me.process.main:
                me.process._die(code if isinstance(code, int) else 0)
            me.process.threads.remove(me)
            self.threads.remove(me)
            me.ended.notify_all()
        except Exception as error:  # noqa: BLE001 - raised in the main thread; the baton must not be lost here
            self.failed(f"the end of thread {me.label}", error)
        self.give(self._pick())

    def change_process(self, process: SimProcess) -> None:
        """Swap the globals that every process has for itself."""
        old = self.current_process
        try:
            for hook in self.on_leave:
                hook(old)
        finally:
            self.current_process = process
            self._own.swap(old.values, process.values)
        for hook in self.on_enter:
            hook(process)

    def check(self) -> None:
        """Raise `Killed` in a thread that is being unwound: for simulated calls that do not wait."""
        me = LOCAL.thread
        if me is not None and me.killed:
            killed_again(self, me)

    # -- timers, choices, trace ---------------------------------------------------------------------------------------

    def call_at(self, when: int, callback: Callable[[], object], label: str = "") -> Timer:
        """Call `callback` at world time `when` (µs), with the baton but in no thread's name: it must not wait.

        What it raises ends the world with `ThreadFailed`. Of the same time, the first set fires first.
        """
        if self.unwinding:
            self.check()
        return Timer(self.timers, max(when, self.now), callback, label)

    def call_later(self, delay: int, callback: Callable[[], object], label: str = "") -> Timer:
        """`call_at`, `delay` microseconds from now."""
        if self.unwinding:
            self.check()
        return Timer(self.timers, self.now + delay if delay > 0 else self.now, callback, label)

    def choose(self, stream: str, n: int, label: str) -> int:
        """A number 0..n-1 from the tape; 0 is the plain choice. One of one is no choice and leaves no mark.

        :raises ReplayDiverged: the tape to be replayed holds another choice here.
        """
        if n == 1:
            return 0
        if self.unwinding:
            self.check()
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
        if self.unwinding:
            return
        current = self.current
        self.trace.add(self.now, current.label if current is not None else "-", kind, detail)
