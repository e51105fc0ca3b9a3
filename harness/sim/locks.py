"""Locks of the simulated world."""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from harness.sim.polling import not_yet
from harness.sim.thread import LOCAL
from harness.sim.timers import us
from harness.sim.waiting import Waiter

if TYPE_CHECKING:
    from harness.sim.thread import SimThread

_real_lock = _thread.allocate_lock
_real_rlock = _thread.RLock
_get_ident = _thread.get_ident


class Lock:
    """`threading.Lock`: called outside a world it makes a real one.

    Whether it is held is kept in a real lock. Simulated threads do not wait for that one unless a thread outside the
    world holds it, which lets go in real time; so a lock that outlives its world (a module imported inside made it)
    goes on as an ordinary one. Simulated threads are served in the order in which they came, unless the kernel is to
    deviate. It knows no kernel, which it would keep alive: the threads that wait for it do.
    """

    __slots__ = ("__weakref__", "_acquire", "_held", "_owner", "_release", "_waiters")

    _acquire: Callable[..., bool]
    _held: Callable[[], bool]
    _release: Callable[[], None]
    _owner: SimThread | None
    _waiters: deque[Waiter]

    def __new__(cls) -> Any:
        """A simulated lock in simulated threads, a real one elsewhere."""
        if LOCAL.thread is None:
            return _real_lock()
        self = object.__new__(cls)
        self._waiters = deque()
        self._at_fork_reinit()
        return self

    def _at_fork_reinit(self) -> None:
        real = _real_lock()
        self._acquire = real.acquire
        self._release = real.release
        self._held = real.locked
        self._owner = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`, in virtual time."""
        if timeout != -1:
            _check(blocking, timeout)
        if self._acquire(False):
            self._owner = LOCAL.thread
            return True
        return self._wait(blocking, timeout)

    def __enter__(self) -> bool:
        if self._acquire(False):
            self._owner = LOCAL.thread
            return True
        return self._wait(True, -1)

    def _wait(self, blocking: bool, timeout: float) -> bool:
        if not blocking:
            not_yet()
            return False
        if self._owner is None or LOCAL.thread is None:
            if not self._acquire(True, timeout):
                return False
            self._owner = LOCAL.thread
            return True
        return wait_turn(self._waiters, timeout, self._why, self.release)

    def release(self) -> None:
        """As `threading.Lock.release`; the thread that waited longest has the lock from now on."""
        self._owner = heir = next_owner(self._waiters) if self._waiters else None
        if heir is None:
            try:
                self._release()
            except RuntimeError:
                _refuse("release unlocked lock")

    def __exit__(self, *exc: object) -> None:
        self.release()

    def locked(self) -> bool:
        """Somebody holds it."""
        held = self._held()
        if held:
            not_yet()
        return held

    def _is_owned(self) -> bool:
        """For `threading.Condition`, which would ask by trying to acquire it: here that is no question of who polls."""
        return self._held()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.lock' object")

    def _why(self) -> str:
        return f"a lock held by {self._owner.label if self._owner is not None else 'no simulated thread'}"

    def __repr__(self) -> str:
        # As the real one, without its address, which differs from run to run.
        return f"<{'locked' if self._held() else 'unlocked'} _thread.lock object>"


class RLock:
    """`threading.RLock`: called outside a world it makes a real one. Otherwise as `Lock`."""

    __slots__ = ("__weakref__", "_acquire", "_count", "_holder", "_owner", "_release", "_waiters")

    _acquire: Callable[..., bool]
    _release: Callable[[], None]
    _owner: SimThread | None
    _waiters: deque[Waiter]

    def __new__(cls) -> Any:
        """A simulated lock in simulated threads, a real one elsewhere."""
        if LOCAL.thread is None:
            return _real_rlock()
        self = object.__new__(cls)
        self._waiters = deque()
        self._at_fork_reinit()
        return self

    def _at_fork_reinit(self) -> None:
        real = _real_lock()
        self._acquire = real.acquire
        self._release = real.release
        self._owner = None
        self._holder = 0
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.RLock.acquire`, in virtual time."""
        if timeout != -1:
            _check(blocking, timeout)
        ident = _get_ident()
        if self._holder == ident:
            self._count += 1
            return True
        if not self._acquire(False) and not self._wait(blocking, timeout):
            return False
        self._owner = LOCAL.thread
        self._holder = ident
        self._count = 1
        return True

    __enter__ = acquire

    def _wait(self, blocking: bool, timeout: float) -> bool:
        if not blocking:
            not_yet()
            return False
        if self._owner is None or LOCAL.thread is None:
            return self._acquire(True, timeout)
        return wait_turn(self._waiters, timeout, self._why, self._pass_on)

    def release(self) -> None:
        """As `threading.RLock.release`; after the last one the thread that waited longest has the lock."""
        if self._holder != _get_ident():
            _refuse("cannot release un-acquired lock")
            return
        self._count -= 1
        if not self._count:
            self._pass_on()

    def _pass_on(self) -> None:
        self._holder = 0
        self._owner = heir = next_owner(self._waiters) if self._waiters else None
        if heir is None:
            self._release()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def locked(self) -> bool:
        """Somebody holds it."""
        held = self._held()
        if held:
            not_yet()
        return held

    def _held(self) -> bool:
        return self._count > 0 or self._owner is not None

    # What threading.Condition asks of its lock:

    def _is_owned(self) -> bool:
        return self._holder == _get_ident()

    def _recursion_count(self) -> int:
        return self._count if self._holder == _get_ident() else 0

    def _release_save(self) -> int:
        count = self._count
        self._count = 1
        self.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self.acquire()
        self._count = count

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.RLock' object")

    def _why(self) -> str:
        return f"a re-entrant lock held by {self._owner.label if self._owner is not None else 'no simulated thread'}"

    def __repr__(self) -> str:
        # As the real one, without its address and the number of its owner, which differ from run to run.
        owner = self._owner.label if self._owner is not None else 0
        state = "locked" if self._held() else "unlocked"
        return f"<{state} _thread.RLock object owner={owner} count={self._count}>"


def wait_turn(waiters: deque[Waiter], timeout: float, why: Callable[[], str], give_back: Callable[[], None]) -> bool:
    """Wait for a lock in its queue; True when it was handed over.

    :param timeout: seconds on the clock of the calling thread's process; negative: for ever.
    :param give_back: called when the lock was handed over to a thread that is on its way out with an error.
    """
    caller = LOCAL.thread
    assert caller is not None  # locks send others to the real thing
    kernel = caller.kernel
    me = kernel.running()
    end = None if timeout < 0 else kernel.now + me.process.clock.true(us(timeout))
    waiter = Waiter(me)
    waiters.append(waiter)
    try:
        while not waiter.granted:
            left = None if end is None else max(end - kernel.now, 0)
            if not kernel.park(why, left) and not waiter.granted:
                waiters.remove(waiter)
                return False
    except BaseException:
        if waiter.granted:
            give_back()
        else:
            waiters.remove(waiter)
        raise
    return True


def next_owner(waiters: deque[Waiter]) -> SimThread | None:
    """Who has the lock next, woken already; None when nobody waits that lives, or when the kernel lets go of it.

    With `Kernel.deviate` per cent the lock goes to another one that waits, or to whoever comes first, as real locks do.
    """
    while waiters:
        index, kernel = 0, waiters[0].thread.kernel
        if kernel.deviate and kernel.choose("lock", 100, "deviate") > 99 - kernel.deviate:
            index = kernel.choose("lock", len(waiters) + 1, "heir")
            if index == len(waiters):
                index = 0
        waiter = waiters[index]
        del waiters[index]
        if not waiter.thread.gone:
            waiter.granted = True
            kernel.wake(waiter.thread)
            return waiter.thread
    return None


def _check(blocking: bool, timeout: float) -> None:
    """Refuse what real locks refuse, in their words, which differ between Pythons."""
    if not blocking or not 0 <= timeout <= _thread.TIMEOUT_MAX:
        _real_lock().acquire(blocking, timeout)


def _refuse(text: str) -> None:
    """A lock is released that is not held: no wonder in a thread that is unwound out of a wait for it."""
    me = LOCAL.thread
    if me is None or not me.killed:
        raise RuntimeError(text)
