"""Thread pools give work to the same threads on every version of Python."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.sim import World

pytestmark = [pytest.mark.unit, pytest.mark.sim]


def _work(names: list[str]) -> None:
    time.sleep(0.001)
    names.append(threading.current_thread().name)


def test_a_pool_starts_no_more_threads_than_wait_for_none() -> None:
    """Two pieces at once need two threads; the third, given while both are busy, a third one; what comes when all
    are idle needs none.
    """
    names: list[str] = []
    with World(seed=1), ThreadPoolExecutor(5, thread_name_prefix="p") as pool:
        for future in [pool.submit(_work, names) for _ in range(3)]:
            future.result()
        pool.submit(_work, names).result()
        threads = len(pool._threads)

    assert threads == 3
    assert sorted(set(names)) == ["p_0", "p_1", "p_2"]


def test_a_busy_worker_is_not_counted_as_idle() -> None:
    """A worker that goes straight on to the next piece of work has not been idle: a pool that must grow grows."""
    names: list[str] = []
    with World(seed=1), ThreadPoolExecutor(3, thread_name_prefix="p") as pool:
        futures = [pool.submit(_work, names) for _ in range(6)]
        for future in futures:
            future.result()
        idle = pool._idle_semaphore._value

    assert idle == 3
    assert len(names) == 6


def test_a_pool_whose_initializer_fails_is_broken() -> None:
    """The error of the initializer is told by the first piece of work, in the world as outside of it."""

    def fail() -> None:
        raise ValueError("no")

    with World(seed=1), ThreadPoolExecutor(1, initializer=fail) as pool:
        error = pool.submit(time.sleep, 0).exception()

    assert type(error).__name__ == "BrokenThreadPool"
