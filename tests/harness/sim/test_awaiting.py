"""Reports name what a program waits for by the words of its own source: queues, events, tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest
import zmq
import zmq.asyncio

from harness.sim import Deadlock, World
from harness.sim.awaiting import MOST


def deadlock(program: Callable[[], object]) -> str:
    """The report that ends the program."""
    with pytest.raises(Deadlock) as caught, World(1):
        program()
    return str(caught.value)


def notified() -> None:
    """Waits for a condition that nobody notifies."""
    condition = threading.Condition()
    with condition:
        condition.wait()


def full() -> None:
    """Puts two items where there is room for one."""
    items: queue.Queue[int] = queue.Queue(1)
    items.put(1)
    items.put(2)


def twice() -> None:
    """Takes a lock that it holds."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (lambda: queue.Queue[int]().get(), "an item of a queue.Queue"),
        (full, "room in a queue.Queue"),
        (lambda: threading.Event().wait(), "a threading.Event to be set"),
        (notified, "a notification of a threading.Condition"),
        (lambda: threading.Semaphore(0).acquire(), "a threading.Semaphore"),
        (lambda: threading.Barrier(2).wait(), "the others at a threading.Barrier"),
        (lambda: concurrent.futures.Future[int]().result(), "the result of a Future"),
        (lambda: concurrent.futures.wait([concurrent.futures.Future[int]()]), "futures (concurrent.futures.wait)"),
        (twice, "a lock that it holds itself"),
    ],
)
def test_what_the_only_thread_waits_for_is_named(program: Callable[[], object], what: str) -> None:
    """A program that waits for what it never gets is told what, and at which of its lines."""
    text = deadlock(program)

    assert f"MainThread: waits for {what} since 0.000000 s, at {__file__}:" in text


def test_who_holds_the_lock_of_a_condition_is_told() -> None:
    """A thread in `Condition.wait` that was notified waits for the lock, and the report says who has that."""
    condition = threading.Condition()

    def waiting() -> None:
        with condition:
            condition.wait()

    def program() -> None:
        threading.Thread(target=waiting, name="waiting").start()
        with condition:
            condition.notify()
            threading.Event().wait()

    with World(1):
        condition = threading.Condition()
        with pytest.raises(Deadlock, match="waiting: waits for a re-entrant lock held by harness/MainThread since"):
            program()


def tasks(**awaited: Callable[[], Awaitable[object]]) -> list[str]:
    """The lines of the report about tasks of these names, each of which awaits one of these for ever."""

    async def waits(awaitable: Callable[[], Awaitable[object]]) -> None:
        await awaitable()

    async def program() -> None:
        kept = [asyncio.create_task(waits(made), name=name) for name, made in awaited.items()]
        await asyncio.sleep(1)
        await kept[0]

    text = deadlock(lambda: asyncio.run(program()))
    first = text[text.index("Before that,") :] if "Before that," in text else text
    return [line.strip() for line in first.splitlines() if line.startswith("      ")]


async def locked() -> None:
    """Takes a lock that is held."""
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def grouped() -> None:
    """Waits for the tasks of a group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait(), name="inner")


async def received() -> None:
    """Receives what nobody sends."""
    socket = zmq.asyncio.Context().socket(zmq.PULL)
    socket.bind("inproc://nobody")
    await socket.recv()


def test_every_task_of_a_loop_is_named_with_what_it_awaits() -> None:
    """The tasks stand below their thread, in the order in which they were made, each with its library's word for it."""
    found = tasks(
        queue=lambda: asyncio.Queue[int]().get(),
        event=lambda: asyncio.Event().wait(),
        limited=lambda: asyncio.wait_for(asyncio.Event().wait(), None),
        semaphore=lambda: asyncio.Semaphore(0).acquire(),
        lock=locked,
        group=grouped,
        forever=anyio.sleep_forever,
        future=lambda: asyncio.get_running_loop().create_future(),
        several=lambda: asyncio.gather(*(asyncio.get_running_loop().create_future() for _ in range(2))),
        limiter=lambda: anyio.CapacityLimiter(0).acquire(),
        message=received,
    )

    told = [line.split(", at ")[0] for line in found]
    assert told == [
        "task Task-1: waits for task queue",
        "task queue: waits for an item of an asyncio.Queue",
        "task event: waits for an asyncio.Event to be set",
        "task limited: waits for an asyncio.Event to be set",
        "task semaphore: waits for an asyncio.Semaphore",
        "task lock: waits for an asyncio.Lock",
        "task group: waits for the tasks of its asyncio.TaskGroup",
        "task forever: waits for its sleep",
        "task future: waits for a future",
        "task several: waits for all of 2: a future, a future",
        "task limiter: waits for an asyncio.Event to be set",
        "task message: waits for a ZeroMQ socket",
        "task inner: waits for an asyncio.Event to be set",
    ]
    line = locked.__code__.co_firstlineno + 4
    assert f"task lock: waits for an asyncio.Lock, at {__file__}:{line} in locked" in found


def test_work_in_another_thread_is_told_there() -> None:
    """A task that awaits a worker says so, and the worker's thread says what holds it up."""
    with pytest.raises(Deadlock) as caught, World(1):
        asyncio.run(asyncio.to_thread(threading.Event().wait))

    text = str(caught.value)
    assert "asyncio.threads.to_thread (work in another thread)" in text
    assert "asyncio_0: waits for a threading.Event to be set" in text


def test_very_many_tasks_are_counted() -> None:
    """Of a loop with more tasks than anybody reads the report names the first, and counts the others."""
    found = tasks(**{f"t{number}": lambda: asyncio.Event().wait() for number in range(MOST + 5)})

    assert len(found) == MOST + 1
    assert found[-1] == "and 6 tasks more"
