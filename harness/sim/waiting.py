"""A queue of waiting threads: the primitive on which everything that waits is built."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.thread import SimThread


class Waiter:
    """One wait of one thread.

    `granted` outlives the wake itself, so a thread whose deadline passed in the very moment of its notification
    is notified, and a thread that was woken by something else goes on waiting: no wake-up is lost, none is invented.
    """

    __slots__ = ("granted", "thread")

    def __init__(self, thread: SimThread) -> None:
        self.thread = thread
        self.granted = False


class WaitQueue:
    """Threads that wait for one thing, served in the order in which they came.

    There is no preemption: between looking at a condition and `wait` no other thread runs, hence no lock is needed
    and no notification is missed. A notification when nobody waits is forgotten; look at the condition first.

    >>> while not mailbox:                      # doctest: +SKIP
    ...     if not arrived.wait(us(2.5)):
    ...         raise TimeoutError("no letter within 2.5 s")

    :param what: what is waited for, as deadlock reports shall say it.
    """

    __slots__ = ("_kernel", "_waiters", "what")

    def __init__(self, kernel: Kernel, what: str) -> None:
        self._kernel = kernel
        self._waiters: deque[Waiter] = deque()
        self.what = what

    def wait(self, timeout: int | None = None) -> bool:
        """Wait until notified or for `timeout` microseconds; True when notified."""
        kernel = self._kernel
        waiter = Waiter(kernel.running())
        self._waiters.append(waiter)
        end = None if timeout is None else kernel.now + timeout
        try:
            while not waiter.granted:
                left = None if end is None else end - kernel.now
                if not kernel.park(self.what, left) and not waiter.granted:
                    return False
        finally:
            if not waiter.granted:
                self._waiters.remove(waiter)
        return True

    def notify(self, n: int = 1) -> int:
        """Let the first `n` waiting threads go on; how many there were. Threads of dead processes are passed over."""
        done = 0
        waiters = self._waiters
        while waiters and done < n:
            waiter = waiters.popleft()
            waiter.granted = True
            if not waiter.thread.gone:
                self._kernel.wake(waiter.thread)
                done += 1
        return done

    def notify_all(self) -> int:
        """Let all waiting threads go on; how many there were."""
        return self.notify(len(self._waiters))

    def __len__(self) -> int:
        return sum(not waiter.thread.gone for waiter in self._waiters)
