"""Who runs, and what time it is."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.bare_threads import REAL_START
from harness.sim.errors import SimError, ThreadFailed
from harness.sim.kernel import Kernel, current_thread, us

Opened = Callable[..., AbstractContextManager[Kernel]]
SECOND = 1_000_000


def test_a_day_takes_no_time(kernel: Kernel) -> None:
    """When nobody can run, time jumps: 24 hours of one-second sleeps take under ten real seconds and end exactly."""
    began = time.perf_counter()
    for _ in range(86_400):
        kernel.sleep(SECOND)
    assert kernel.now == 86_400 * SECOND
    assert time.perf_counter() - began < 10


@settings(deadline=None)  # real time is not the claim, and the machine may be busy
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 2**32))
def test_timers_fire_in_the_order_of_time_then_of_setting(opened: Opened, whens: list[int], seed: int) -> None:
    """Callbacks fire at their very time, sorted by it; those of one time in the order in which they were set."""
    fired: list[tuple[int, int, int]] = []
    with opened(seed) as kernel:
        for number, when in enumerate(whens):
            kernel.call_at(when, lambda when=when, number=number: fired.append((when, number, kernel.now)))  # type: ignore[misc]
        kernel.sleep(51)
    assert fired == [(when, number, when) for when, number in sorted((when, n) for n, when in enumerate(whens))]


@settings(deadline=None)  # real time is not the claim, and the machine may be busy
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=6), st.integers(0, 2**32))
def test_time_is_exact_and_never_goes_back(opened: Opened, plans: list[list[int]], seed: int) -> None:
    """Each thread wakes exactly when its sleep ends, whoever else sleeps; the moments seen by all never go back."""
    seen: list[int] = []
    with opened(seed) as kernel:

        def sleeper(plan: list[int]) -> None:
            for duration in plan:
                due = kernel.now + duration
                kernel.sleep(duration)
                assert kernel.now == due
                seen.append(kernel.now)

        for plan in plans:
            kernel.spawn(kernel.current_process, "sleeper", lambda plan=plan: sleeper(plan))  # type: ignore[misc]
        kernel.sleep(100)
    assert len(seen) == sum(map(len, plans))
    assert seen == sorted(seen)


def test_a_cancelled_timer_never_fires(kernel: Kernel) -> None:
    """`Timer.cancel` holds, also while thousands of cancelled ones are tidied away around a living one."""
    fired: list[str] = []
    kernel.call_at(500, lambda: fired.append("kept"))
    for _ in range(10_000):
        timer = kernel.call_at(400, lambda: fired.append("cancelled"))
        assert timer.pending
        timer.cancel()
    assert len(kernel.timers.heap) < 200
    kernel.sleep(1000)
    assert fired == ["kept"]


def test_stale_deadlines_do_not_pile_up(kernel: Kernel) -> None:
    """Waits with long time-outs that are woken early leave next to nothing in the heap of timers."""
    me = kernel.running()
    for _ in range(5_000):
        kernel.call_later(1, lambda: kernel.wake(me))
        assert kernel.park("a wake", 3600 * SECOND)
    assert kernel.now == 5_000
    assert len(kernel.timers.heap) < 200


def test_void_deadlines_move_no_time(kernel: Kernel) -> None:
    """Neither a cancelled timer nor the deadline of a wait that is over is a moment of the world: it is passed over."""
    moments: list[int] = []
    kernel.call_at(5, lambda: None).cancel()
    main = kernel.running()
    kernel.call_at(2, lambda: kernel.wake(main))
    assert kernel.park("a wake", 7)
    kernel.call_at(9, lambda: moments.append(kernel.now))
    before = len(kernel.trace)
    kernel.sleep(10)
    assert (moments, kernel.now) == ([9], 12)
    assert len(kernel.trace) == before + 2


def test_a_wake_counts_only_for_a_parked_thread(kernel: Kernel) -> None:
    """A wake of a running thread is refused and not kept: its next park lasts until its deadline."""
    assert not kernel.wake(kernel.running())
    assert kernel.park("nothing", 7) is False
    assert kernel.now == 7


def test_a_callback_must_not_wait(kernel: Kernel) -> None:
    """A timer's callback that waits ends the world with an error that says so, raised in the main thread."""
    kernel.call_later(5, lambda: kernel.sleep(1))
    with pytest.raises(ThreadFailed, match="callback") as caught:
        kernel.sleep(10)
    assert isinstance(caught.value.__cause__, SimError)
    assert kernel.failure is caught.value
    assert kernel.now == 5


def test_an_error_in_a_thread_reaches_the_main_thread(kernel: Kernel) -> None:
    """What escapes a spawned thread is raised in the main thread at that very time, with the error as its cause."""

    def broken() -> None:
        kernel.sleep(3)
        raise LookupError("no such job")

    kernel.spawn(kernel.current_process, "broken", broken)
    with pytest.raises(ThreadFailed, match="harness/broken ended with LookupError: no such job") as caught:
        kernel.sleep(10)
    assert isinstance(caught.value.__cause__, LookupError)
    assert kernel.now == 3


def test_steps_can_cost_time(opened: Opened) -> None:
    """With a step cost each turn takes that long, so two polling threads move time on instead of a livelock."""
    with opened(step_cost=10, livelock=100) as kernel:
        turns = []

        def poll() -> None:
            for _ in range(300):
                turns.append(kernel.now)
                kernel.yield_()

        made = [kernel.spawn(kernel.current_process, "poll", poll) for _ in range(2)]
        for thread in made:
            thread.ended.wait()
        assert turns[:4] == [10, 20, 30, 40]
        assert turns == sorted(turns)
        assert kernel.now >= 6_000


def test_due_timers_fire_under_load(opened: Opened) -> None:
    """Threads that never wait do not hold timers up when their steps take time."""
    with opened(step_cost=10) as kernel:
        fired: list[int] = []
        kernel.call_at(55, lambda: fired.append(kernel.now))
        while not fired:
            kernel.yield_()
        assert fired in ([60], [70])  # the step that is under way comes first


def test_worlds_do_not_nest(kernel: Kernel) -> None:
    """Opening a world inside a world is refused."""
    with pytest.raises(SimError, match="do not nest"):
        Kernel().open()


def test_threads_outside_stay_outside(kernel: Kernel) -> None:
    """The calling thread is simulated, a real thread beside the world is not, and after the world nobody is."""
    seen: list[object] = []
    done = _thread.allocate_lock()
    done.acquire()

    def outside() -> None:
        seen.extend([current_thread(), type(threading.Lock()).__module__])
        done.release()

    REAL_START(outside, ())
    assert done.acquire(timeout=10)
    assert seen == [None, "_thread"]
    assert current_thread() is kernel.main
    kernel.close()
    assert current_thread() is None


def test_an_interrupt_leaves_the_wait_as_it_was(kernel: Kernel) -> None:
    """PEP 475: a callback runs in the parked thread at once, then the wait goes on to its own deadline."""
    seen: list[int] = []
    main = kernel.running()
    kernel.call_later(3, lambda: kernel.interrupt(main, lambda: seen.append(kernel.now)))
    assert kernel.park("the deadline", 10) is False
    assert (seen, kernel.now) == ([3], 10)


def test_an_interrupt_that_raises_ends_the_wait(kernel: Kernel) -> None:
    """As a signal's handler does: what the callback raises comes out of the wait."""

    def refuse() -> None:
        raise KeyboardInterrupt

    main = kernel.running()
    kernel.call_later(3, lambda: kernel.interrupt(main, refuse))
    with pytest.raises(KeyboardInterrupt):
        kernel.park("the deadline", 10)
    assert kernel.now == 3
    kernel.sleep(100)
    assert kernel.now == 103


def test_an_interrupt_may_wake_its_own_thread(kernel: Kernel) -> None:
    """A handler that sets what the thread waits for ends the wait, and the thread is queued once, not twice."""
    main = kernel.running()
    kernel.call_later(3, lambda: kernel.interrupt(main, lambda: kernel.wake(main)))
    assert kernel.park("a wake", 10) is True
    assert not kernel.ready
    assert kernel.now == 3


def test_an_interrupt_may_wait_itself(kernel: Kernel) -> None:
    """A handler that sleeps is no end of a lock's wait: the sleep ends, then the wait goes on."""
    main = kernel.running()
    lock = threading.Lock()

    def holder() -> None:
        with lock:
            kernel.sleep(50)

    kernel.spawn(kernel.current_process, "holder", holder)
    kernel.sleep(1)
    kernel.call_later(4, lambda: kernel.interrupt(main, lambda: kernel.sleep(10)))
    assert lock.acquire(timeout=1)
    assert kernel.now == 50


def test_an_interrupt_reaches_a_runnable_thread(kernel: Kernel) -> None:
    """A thread that waits for its turn only runs its callback before it goes on."""
    seen: list[str] = []

    def worker() -> None:
        kernel.yield_()
        seen.append("worker")

    thread = kernel.spawn(kernel.current_process, "worker", worker)
    kernel.sleep(0)
    kernel.interrupt(thread, lambda: seen.append("interrupt"))
    kernel.sleep(5)
    assert seen[-1] == "worker"
    assert seen.count("interrupt") <= 1


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread")
def test_a_real_signal_takes_the_baton_first(kernel: Kernel) -> None:
    """What a real signal's handler raises in the waiting main thread arrives there, once it is its turn."""

    class Stop(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, handler)
    running: list[str] = []
    try:

        def busy() -> None:
            os.kill(os.getpid(), signal.SIGUSR1)
            end = time.perf_counter() + 0.05
            while time.perf_counter() < end:
                running.append("busy")
            assert current_thread() is kernel.current

        kernel.spawn(kernel.current_process, "busy", busy)
        with pytest.raises(Stop):
            kernel.sleep(10)
        assert kernel.current is kernel.main
        seen = len(running)
        assert seen > 0
        time.sleep(0.02)  # real: had the other thread not ended its turn, it would still count
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(running) == seen


@pytest.mark.parametrize(
    ("seconds", "microseconds"),
    [(0, 0), (-3, 0), (1e-9, 1), (1.5e-6, 2), (0.1 + 0.2, 300_000), (1.0000001, 1_000_001), (86_400, 86_400_000_000)],
)
def test_durations_round_up(seconds: float, microseconds: int) -> None:
    """No wait is shorter than asked, but for what floats cannot hold."""
    assert us(seconds) == microseconds
