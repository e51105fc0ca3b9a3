"""Queues of waiting threads: first come, first served; nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.kernel import Kernel
from harness.sim.waiting import WaitQueue

Opened = Callable[..., AbstractContextManager[Kernel]]


@settings(deadline=None)  # real time is not the claim, and the machine may be busy
@given(
    st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(0, 20))), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=8),
    st.integers(0, 2**32),
)
def test_no_wake_up_is_lost_or_invented(
    opened: Opened,
    waits: list[tuple[int, int | None]],
    notifications: list[tuple[int, int]],
    seed: int,
) -> None:
    """Whatever the schedule: as many waits end notified as notifications were delivered, in the order of their coming.

    A wait that ends by its deadline ends exactly then; all that is left waits for ever.
    """
    delivered = 0
    came: list[int] = []
    served: list[int] = []
    timed_out = 0
    with opened(seed) as kernel:
        queue = WaitQueue(kernel, "a letter")

        def waiter(number: int, begin: int, timeout: int | None) -> None:
            nonlocal timed_out
            kernel.sleep(begin)
            began = kernel.now
            came.append(number)
            if queue.wait(timeout):
                served.append(number)
            else:
                assert timeout is not None
                assert kernel.now == began + timeout
                came.remove(number)
                timed_out += 1

        def notifier(begin: int, n: int) -> None:
            nonlocal delivered
            kernel.sleep(begin)
            delivered += queue.notify(n)

        process = kernel.current_process
        for number, (begin, timeout) in enumerate(waits):
            kernel.spawn(process, "waiter", lambda a=(number, begin, timeout): waiter(*a))  # type: ignore[misc]
        for begin, n in notifications:
            kernel.spawn(process, "notifier", lambda a=(begin, n): notifier(*a))  # type: ignore[misc]
        kernel.sleep(100)
        assert delivered == len(served)
        assert sorted(served) == sorted(came[: len(served)])
        assert len(queue) == len(waits) - len(served) - timed_out


def test_first_come_first_served(kernel: Kernel) -> None:
    """One notification a microsecond serves waiting threads in the order in which they came."""
    queue = WaitQueue(kernel, "a turn")
    served: list[int] = []

    def waiter(number: int) -> None:
        kernel.sleep(number)
        queue.wait()
        served.append(number)

    for number in (3, 1, 5, 2, 4):
        kernel.spawn(kernel.current_process, "waiter", lambda number=number: waiter(number))  # type: ignore[misc]
    kernel.sleep(10)
    assert len(queue) == 5
    for _ in range(5):
        assert queue.notify() == 1
        kernel.sleep(1)
    assert served == [1, 2, 3, 4, 5]
    assert queue.notify() == 0


def test_a_notification_at_the_deadline_counts(kernel: Kernel) -> None:
    """A thread whose deadline fires in the very moment of its notification is notified: the letter is not lost."""
    queue = WaitQueue(kernel, "a letter")
    kernel.call_at(10, lambda: queue.notify())
    assert queue.wait(10) is True
    kernel.call_at(20, lambda: None)
    assert queue.wait(10) is False
    assert kernel.now == 20


def test_the_dead_are_passed_over(kernel: Kernel) -> None:
    """A notification goes to the first thread whose process lives."""
    queue = WaitQueue(kernel, "a letter")
    victim = kernel.new_process("victim")
    kernel.spawn(victim, "MainThread", queue.wait)
    kernel.sleep(1)
    served: list[bool] = []
    kernel.spawn(kernel.current_process, "heir", lambda: served.append(queue.wait()))
    kernel.sleep(1)
    victim.kill()
    assert len(queue) == 1
    assert queue.notify() == 1
    kernel.sleep(1)
    assert served == [True]


def test_a_stray_wake_is_no_notification(kernel: Kernel) -> None:
    """A thread woken by somebody else goes on waiting in the queue, until its own deadline."""
    queue = WaitQueue(kernel, "a letter")
    me = kernel.running()
    for when in (2, 4, 6):
        kernel.call_at(when, lambda: kernel.wake(me))
    assert queue.wait(10) is False
    assert kernel.now == 10
    assert len(queue) == 0
