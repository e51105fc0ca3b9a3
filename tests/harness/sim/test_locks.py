"""Locks, and what the standard library builds on them."""

from __future__ import annotations

import _thread
import copy
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.kernel import Kernel
from harness.sim.locks import Lock, RLock

Opened = Callable[..., AbstractContextManager[Kernel]]
Factory = Callable[[], threading.Lock]
BOTH = pytest.mark.parametrize("factory", [Lock, RLock])


@settings(deadline=None)  # real time is not the claim, and the machine may be busy
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8), st.integers(0, 2**32))
def test_one_at_a_time_in_the_order_of_coming(opened: Opened, visits: list[tuple[int, int]], seed: int) -> None:
    """Whatever the schedule: never two threads inside, and they enter in the order in which they asked."""
    for factory in (Lock, RLock):
        inside: list[int] = []
        asked: list[int] = []
        entered: list[int] = []
        with opened(seed) as kernel:
            lock = factory()

            def visit(
                number: int,
                begin: int,
                stay: int,
                kernel: Kernel = kernel,
                lock: threading.Lock = lock,
                asked: list[int] = asked,
                inside: list[int] = inside,
                entered: list[int] = entered,
            ) -> None:
                kernel.sleep(begin)
                asked.append(number)
                with lock:
                    assert not inside
                    inside.append(number)
                    entered.append(number)
                    kernel.sleep(stay)
                    inside.remove(number)

            for number, (begin, stay) in enumerate(visits):
                kernel.spawn(kernel.current_process, "v", lambda a=(number, begin, stay), v=visit: v(*a))  # type: ignore[misc]
            kernel.sleep(1000)
            assert entered == asked
            assert len(entered) == len(visits)
            assert lock.acquire(False)


@BOTH
def test_a_time_out_is_exact(kernel: Kernel, factory: Factory) -> None:
    """`acquire(timeout=…)` gives up exactly then; without blocking at once; the lock stays usable."""
    lock = factory()

    def hold() -> None:
        with lock:
            kernel.sleep(5_000_000)

    kernel.spawn(kernel.current_process, "holder", hold)
    kernel.sleep(1)
    assert lock.acquire(False) is False
    assert lock.acquire(timeout=1.5) is False
    assert kernel.now == 1_500_001
    assert lock.acquire(timeout=60) is True
    assert kernel.now == 5_000_000
    lock.release()


@BOTH
def test_misuse_is_refused_as_in_reality(kernel: Kernel, factory: Factory) -> None:
    """Releasing what is not held, and time-outs that make no sense, raise what real locks raise."""
    lock = factory()
    with pytest.raises(RuntimeError):
        lock.release()
    with lock:
        pass
    held = Lock()
    held.acquire()
    with pytest.raises(ValueError, match="non-blocking"):
        held.acquire(False, 1)
    with pytest.raises(ValueError, match=r"timeout value must be (positive|a non-negative number)"):
        held.acquire(True, -2)
    with pytest.raises(OverflowError):
        held.acquire(True, 1e30)


def test_a_re_entrant_lock_counts(kernel: Kernel) -> None:
    """Its holder enters again; another thread only after as many releases."""
    lock = threading.RLock()
    order: list[str] = []

    def other() -> None:
        with lock:
            order.append("other")

    with lock:
        with lock:
            kernel.spawn(kernel.current_process, "other", other)
            kernel.sleep(5)
        order.append("first")
        kernel.sleep(5)
    kernel.sleep(1)
    assert order == ["first", "other"]


def test_conditions_work_on_both_locks(kernel: Kernel) -> None:
    """`Condition.wait` frees a nested RLock wholly and takes it back as deep as it was; a time-out is exact."""
    for lock in (threading.Lock(), threading.RLock()):
        condition = threading.Condition(lock)
        began = kernel.now
        with condition:
            assert condition.wait(0.25) is False
        assert kernel.now == began + 250_000
    condition = threading.Condition()
    seen: list[str] = []

    def notifier() -> None:
        with condition:
            seen.append("notifier")
            condition.notify()

    with condition, condition:
        kernel.spawn(kernel.current_process, "notifier", notifier)
        assert condition.wait(10) is True
        assert seen == ["notifier"]
    with pytest.raises(RuntimeError):
        condition.notify()


def test_outside_a_world_locks_are_real(opened: Opened) -> None:
    """The factories make real locks where no simulated thread calls."""
    assert isinstance(Lock(), _thread.LockType)
    assert type(RLock()) is type(_thread.RLock())
    with opened():
        assert isinstance(threading.Lock(), Lock)
        assert isinstance(threading.RLock(), RLock)
    assert isinstance(threading.Lock(), _thread.LockType)


@BOTH
def test_a_lock_outlives_its_world(opened: Opened, factory: Factory) -> None:
    """A lock that a module made inside a world excludes real threads afterwards, and waits in real time."""
    with opened():
        lock = factory()
    entered: list[str] = []

    def enter() -> None:
        with lock:
            entered.append("other")

    with lock:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(0.05)
        assert entered == []
    thread.join(10)
    assert entered == ["other"]


@BOTH
def test_a_lock_held_outside_is_waited_for_in_real_time(opened: Opened, factory: Factory) -> None:
    """A simulated thread that finds a thread outside in its way (a handler's lock, say) waits; no time passes."""
    begin, held = _thread.allocate_lock(), _thread.allocate_lock()
    begin.acquire()
    held.acquire()
    locks: list[threading.Lock] = []

    def outside() -> None:
        begin.acquire(timeout=10)
        with locks[0]:
            held.release()
            time.sleep(0.05)

    thread = threading.Thread(target=outside)
    thread.start()
    with opened() as kernel:
        locks.append(factory())
        begin.release()
        assert held.acquire(timeout=10)
        with locks[0]:
            assert kernel.now == 0
        kernel.sleep(1)
    thread.join(10)


@BOTH
def test_locks_cannot_be_copied(kernel: Kernel, factory: Factory) -> None:
    """As real ones: copying an object that holds a lock is an error, not a second lock."""
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.deepcopy({"lock": factory()})


def test_hand_over_may_deviate(opened: Opened) -> None:
    """With `deviate` some hand-overs go to another waiting thread; still one at a time, all served, by the seed."""

    def orders(deviate: int) -> set[tuple[int, ...]]:
        found = set()
        for seed in range(12):
            with opened(seed, deviate=deviate) as kernel:
                lock = threading.Lock()
                order: list[int] = []

                def visit(
                    number: int, kernel: Kernel = kernel, lock: threading.Lock = lock, order: list[int] = order
                ) -> None:
                    kernel.sleep(number)
                    with lock:
                        kernel.sleep(20)
                        order.append(number)

                for number in range(5):
                    kernel.spawn(kernel.current_process, "v", lambda n=number, v=visit: v(n))  # type: ignore[misc]
                kernel.sleep(1000)
                assert sorted(order) == [0, 1, 2, 3, 4]
                found.add(tuple(order))
        return found

    assert orders(0) == {(0, 1, 2, 3, 4)}
    assert len(orders(50)) > 3


def test_a_killed_holder_keeps_its_lock(kernel: Kernel) -> None:
    """Death frees no lock: who waits for it goes on waiting, as real threads of the same process would be dead too."""
    lock = threading.Lock()
    victim = kernel.new_process("victim")

    def hold() -> None:
        with lock:
            kernel.sleep(100)

    kernel.spawn(victim, "MainThread", hold)
    kernel.sleep(1)
    victim.kill()
    assert lock.acquire(timeout=1) is False
