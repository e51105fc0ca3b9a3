"""Wrong arguments are refused as the real functions refuse them, in their words."""

from __future__ import annotations

import decimal
import os
import threading
import time
from collections.abc import Callable

import pytest

from harness.sim import World

pytestmark = pytest.mark.sim

CALLS: dict[str, Callable[[], object]] = {
    "sleep for more than there is": lambda: time.sleep(1e300),
    "sleep for a large number": lambda: time.sleep(10**30),
    "sleep for ever": lambda: time.sleep(float("inf")),
    "sleep for no number": lambda: time.sleep(float("nan")),
    "sleep for text": lambda: time.sleep("x"),  # type: ignore[arg-type]
    "sleep for a decimal": lambda: time.sleep(decimal.Decimal("0.1")),  # type: ignore[arg-type]
    "sleep backwards": lambda: time.sleep(-1),
    "sleep for True": lambda: time.sleep(True),
    "lock, negative": lambda: threading.Lock().acquire(timeout=-5),
    "lock, too long": lambda: threading.Lock().acquire(timeout=1e300),
    "lock, too long but possible": lambda: threading.Lock().acquire(timeout=1e10),
    "lock, at once and not": lambda: threading.Lock().acquire(False, 1),
    "re-entrant lock, negative": lambda: threading.RLock().acquire(timeout=-5),
    "re-entrant lock, at once and not": lambda: threading.RLock().acquire(False, 1),
    "lock, at once": lambda: threading.Lock().acquire(False),
    "chance, negative": lambda: os.urandom(-1),
    "chance, text": lambda: os.urandom("x"),  # type: ignore[arg-type]
    "chance, none": lambda: os.urandom(0),
    "chance of the kernel, negative": lambda: os.getrandom(-1),
    "a clock that there is not": lambda: time.clock_gettime(99),
    "the same in nanoseconds": lambda: time.clock_gettime_ns(99),
    "a clock of text": lambda: time.clock_gettime("x"),  # type: ignore[arg-type]
}


def outcome(call: Callable[[], object]) -> tuple[str, str]:
    """What a call gives, or the kind and the words of its error."""
    try:
        return "", repr(call())
    except (ValueError, TypeError, OverflowError, OSError) as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("name", CALLS)
def test_the_same_words(name: str) -> None:
    """The call ends in a world as it does in reality, on this Python."""
    real = outcome(CALLS[name])
    with World():
        assert outcome(CALLS[name]) == real


def test_a_held_lock_refuses_alike(world: object) -> None:
    """Arguments are looked at before the lock is."""
    lock = threading.Lock()
    with lock:
        with pytest.raises(ValueError, match="timeout value must be"):
            lock.acquire(timeout=-5)
        assert lock.acquire(timeout=0) is False
    again = threading.RLock()
    with again, pytest.raises(ValueError, match="timeout value must be"):
        again.acquire(timeout=-2)


def test_locks_show_their_state(world: object) -> None:
    """A re-entrant lock says whether it is held, and how often."""
    lock, again = threading.Lock(), threading.RLock()
    assert repr(lock).startswith("<unlocked _thread.lock object")
    assert repr(again).startswith("<unlocked _thread.RLock object owner=0 count=0")
    with lock, again, again:
        assert repr(lock).startswith("<locked _thread.lock object")
        assert repr(again).startswith("<locked _thread.RLock object owner=")
        assert "count=2" in repr(again)
    assert repr(again).startswith("<unlocked _thread.RLock object owner=0 count=0")


def test_the_owner_is_called_by_its_name() -> None:
    """Numbers of threads differ from run to run, so that a simulated lock does not print them."""
    with World():
        lock = threading.RLock()
        with lock:
            assert repr(lock) == "<locked _thread.RLock object owner=harness/MainThread count=1>"
