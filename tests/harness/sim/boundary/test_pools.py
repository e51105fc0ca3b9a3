"""Thread pools give work to the same threads on every version of Python."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.sim import NotSimulated, World

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


@pytest.mark.parametrize("has_threads", [False, True])
def test_a_pool_made_before_is_refused(has_threads: bool) -> None:
    """Its workers would wait in real time, with threads or without: told at the line that gives it work; then it lives.

    A pool of a module's global had the world stand still for ever, and one with threads ended it as a deadlock.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="early") as pool:
        if has_threads:
            pool.submit(int).result()
        with World(seed=1), pytest.raises(NotSimulated, match=r"ThreadPoolExecutor \(early\).*test_pools.py:\d+ in"):
            pool.submit(time.sleep, 5)

        assert pool.submit(int, 7).result() == 7


def test_loops_do_not_wait_for_a_pool_made_before() -> None:
    """`run_in_executor` is told the same."""

    async def program(pool: ThreadPoolExecutor) -> None:
        await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 5)

    with ThreadPoolExecutor(1) as pool, World(seed=1), pytest.raises(NotSimulated, match="made outside of this world"):
        asyncio.run(program(pool))
