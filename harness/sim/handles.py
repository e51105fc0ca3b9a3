"""What `threading.Thread` holds to learn that its thread has ended, on each Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sim.polling import not_yet
from harness.sim.thread import LOCAL
from harness.sim.timers import us

if TYPE_CHECKING:
    from harness.sim.thread import SimThread


def wait_end(thread: SimThread, timeout: float | None) -> bool:
    """Wait for `timeout` seconds, None: for ever, until a thread has ended; whether it has."""
    me = LOCAL.thread
    if not thread.done and me is not None:
        kernel = thread.kernel
        kernel.check()
        thread.ended.wait(None if timeout is None else me.process.clock.true(us(timeout)))
    return thread.done


class Sentinel:
    """Stands for ``_thread._set_sentinel()``, which Python 3.11 and 3.12 join by acquiring it.

    Unlike the real one it lets all who wait go on at once: as 3.13 does, so that traces are equal.
    """

    __slots__ = ("__weakref__", "_thread")

    def __init__(self, thread: SimThread) -> None:
        self._thread = thread

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether the thread has ended; waits for it when `blocking`. The thread itself "holds" it from its start."""
        if self._thread.done:
            return True
        if not blocking:
            not_yet()
            return False
        if LOCAL.thread is self._thread:
            return True
        return wait_end(self._thread, None if timeout < 0 else timeout)

    def release(self) -> None:
        """Nothing: nobody ever holds it."""

    def locked(self) -> bool:
        """False: a join that an error ends must leave the thread as it is, and Python 3.11 asks this to decide."""
        return False


class SimHandle:
    """Stands for ``_thread._ThreadHandle`` of Python 3.13."""

    __slots__ = ("__weakref__", "thread")

    def __init__(self) -> None:
        self.thread: SimThread | None = None
        """Set once it is started."""

    @property
    def ident(self) -> int:
        """The real thread's identifier; 0 before the start."""
        return 0 if self.thread is None else self.thread.ident

    def is_done(self) -> bool:
        """It has ended."""
        if self.thread is not None and self.thread.done:
            return True
        not_yet()
        return False

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most `timeout` seconds."""
        if self.thread is None:
            raise RuntimeError("thread not started")
        wait_end(self.thread, None if timeout is None or timeout < 0 else timeout)

    def _set_done(self) -> None:
        """For a main thread that ends without its handle: the kernel knows by itself."""
