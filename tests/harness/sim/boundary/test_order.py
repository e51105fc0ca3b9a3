"""Sets of tasks, threads, futures and scopes are walked in one order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from harness.sim import World


async def _tasks() -> list[str]:
    async def nothing() -> None:
        await asyncio.sleep(1)

    kept = {asyncio.create_task(nothing(), name=str(n)) for n in range(40)}
    return [task.get_name() for task in kept]


async def _futures() -> list[int]:
    loop = asyncio.get_running_loop()
    made = [loop.create_future() for _ in range(40)]
    return [made.index(future) for future in set(made)]


async def _all_tasks() -> list[str]:
    await _tasks()
    return [task.get_name() for task in asyncio.all_tasks()]


async def _scopes() -> list[int]:
    made = [anyio.CancelScope() for _ in range(40)]
    return [made.index(scope) for scope in set(made)]


async def _threads() -> list[str]:
    return [thread.name for thread in {threading.Thread(name=str(n)) for n in range(40)}]


async def _pool_futures() -> list[int]:
    made: list[concurrent.futures.Future[None]] = [concurrent.futures.Future() for _ in range(40)]
    return [made.index(future) for future in set(made)]


@pytest.mark.parametrize("walk", [_tasks, _futures, _all_tasks, _scopes, _threads, _pool_futures])
def test_a_set_has_one_order(walk: Callable[[], Any]) -> None:
    """Whatever lies on the heap: two worlds walk a set of 40 in the same order, although all addresses differ."""
    orders, ballast = [], []
    for size in (1, 7_777):
        ballast.append([object() for _ in range(size)])
        with World():
            orders.append(asyncio.run(walk()))

    assert len(orders[0]) >= 40
    assert orders[0] == orders[1]


def test_tasks_are_named_from_one_in_each_world() -> None:
    """A task's own name does not tell how many tasks there were before the world."""

    async def name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    for _ in range(2):
        with World():
            assert asyncio.run(name()) == "Task-1"


def test_what_was_made_before_keeps_its_hash() -> None:
    """A thread in a set of the host is still found there inside a world and after it."""
    thread = threading.Thread()
    kept = {thread}
    with World():
        assert thread in kept
    assert thread in kept


def test_a_task_factory_of_the_program_is_honoured() -> None:
    """Who sets a task factory gets the tasks it makes."""

    class Own(asyncio.Task[None]):
        pass

    async def main() -> type:
        asyncio.get_running_loop().set_task_factory(lambda loop, coro, **options: Own(coro, loop=loop, **options))  # type: ignore[arg-type]
        return type(asyncio.create_task(asyncio.sleep(0)))

    with World():
        assert asyncio.run(main()) is Own


def test_tasks_are_called_as_asyncio_calls_them(caplog: pytest.LogCaptureFixture) -> None:
    """The line that everybody searches a log for is there, and what is printed looks as in reality."""

    async def fail() -> None:
        raise ValueError("unseen")

    async def main() -> tuple[str, str]:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        gc.collect()
        return repr(asyncio.current_task()), repr(asyncio.get_running_loop().create_future())

    with World():
        task, future = asyncio.run(main())

    assert "Task exception was never retrieved" in caplog.messages[0]
    assert (task[:6], future) == ("<Task ", "<Future pending>")
