"""Loops that look again and again end in a world at the moment at which they end in reality."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from harness.sim import World, check_determinism

LATER = 0.3
"""Seconds after which what is polled for comes."""


def _after(callback: Callable[[], object]) -> None:
    threading.Timer(LATER, callback).start()


def _child() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LATER})"])


def _poll_a_child() -> None:
    with _child() as child:
        while child.poll() is None:
            pass


def _waitpid() -> None:
    with _child() as child:
        while not os.waitpid(child.pid, os.WNOHANG)[0]:
            pass


def _kill_0() -> None:
    child = _child()
    threading.Thread(target=child.wait).start()
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(child.pid, 0)


def _event() -> None:
    event = threading.Event()
    _after(event.set)
    while not event.is_set():
        pass


def _event_without_waiting() -> None:
    event = threading.Event()
    _after(event.set)
    while not event.wait(0):
        pass


def _queue_empty() -> None:
    items: queue.Queue[int] = queue.Queue()
    _after(lambda: items.put(1))
    while items.empty():
        pass


def _get_nowait() -> None:
    for items in (queue.Queue[int](), queue.SimpleQueue[int]()):
        _after(lambda items=items: items.put(1))  # type: ignore[misc]
        while True:
            with contextlib.suppress(queue.Empty):
                items.get_nowait()
                break


def _lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    _after(lock.release)
    while not lock.acquire(blocking=False):
        pass


def _semaphore() -> None:
    semaphore = threading.Semaphore(0)
    _after(semaphore.release)
    while not semaphore.acquire(blocking=False):
        pass


def _is_alive() -> None:
    thread = threading.Thread(target=time.sleep, args=(LATER,))
    thread.start()
    while thread.is_alive():
        pass


def _future() -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(time.sleep, LATER)
        while not future.done():
            pass


def _socket() -> None:
    mine, other = socket.socketpair()
    with mine, other:
        mine.setblocking(False)
        _after(lambda: other.send(b"x"))
        while True:
            with contextlib.suppress(BlockingIOError):
                assert mine.recv(1) == b"x"
                break


def _give_way() -> None:
    found: deque[int] = deque()
    _after(lambda: found.append(1))
    while not found:
        time.sleep(0)


def _loop_alone() -> None:
    async def main() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(LATER, event.set)
        while not event.is_set():
            await asyncio.sleep(0)

    asyncio.run(main())


def _loop_and_thread() -> None:
    async def main() -> None:
        event = threading.Event()
        _after(event.set)
        while not event.is_set():
            await asyncio.sleep(0)

    asyncio.run(main())


def _thread() -> threading.Thread:
    thread = threading.Thread(target=time.sleep, args=(LATER,))
    thread.start()
    return thread


def _join_0() -> None:
    thread = _thread()
    while thread.is_alive():
        thread.join(0)


def _join_negative() -> None:
    thread = _thread()
    while thread.is_alive():
        thread.join(timeout=-1)


def _lock_0() -> None:
    lock = threading.Lock()
    lock.acquire()
    _after(lock.release)
    while not lock.acquire(timeout=0):
        pass


def _rlock_0() -> None:
    lock, held = threading.RLock(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            time.sleep(LATER)

    begun = time.monotonic()
    threading.Thread(target=hold).start()
    held.wait()
    while not lock.acquire(timeout=0):
        pass
    assert time.monotonic() >= begun + LATER


def _simple_queue_0() -> None:
    items = queue.SimpleQueue[int]()
    _after(lambda: items.put(1))
    while True:
        with contextlib.suppress(queue.Empty):
            items.get(timeout=0)
            break


def _queue_get_0() -> None:
    items = queue.Queue[int]()
    _after(lambda: items.put(1))
    while True:
        with contextlib.suppress(queue.Empty):
            items.get(timeout=0)
            break


def _queue_put_0() -> None:
    items = queue.Queue[int](1)
    items.put(1)
    _after(items.get)
    while True:
        with contextlib.suppress(queue.Full):
            items.put(2, timeout=0)
            break


def _sigtimedwait_0() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        # To this thread: another one of the process, which does not block it, would be ended by it, and all with it.
        timer = threading.Timer(LATER, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
        timer.start()
        while not signal.sigtimedwait([signal.SIGUSR1], 0):
            pass
        timer.join()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _locked() -> None:
    lock = threading.Lock()
    lock.acquire()
    _after(lock.release)
    while lock.locked():
        pass


def _active_count() -> None:
    before = threading.active_count()
    _thread()
    while threading.active_count() > before:
        pass


def _enumerate() -> None:
    thread = _thread()
    while thread in threading.enumerate():
        pass


def _status() -> None:
    with _child() as child:
        process = psutil.Process(child.pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            pass


def _busy() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("CREATE TABLE t (a)")
        holder.execute("BEGIN EXCLUSIVE")
        _after(holder.commit)
        writer = sqlite3.connect(path, timeout=0, isolation_level=None)
        while True:
            try:
                writer.execute("INSERT INTO t VALUES (1)")
                break
            except sqlite3.OperationalError as error:
                assert error.sqlite_errorcode == sqlite3.SQLITE_BUSY  # noqa: PT017 - the loop goes on with it
        writer.close()
        holder.close()


LOOPS = [
    _poll_a_child,
    _waitpid,
    _kill_0,
    _event,
    _event_without_waiting,
    _queue_empty,
    _get_nowait,
    _lock,
    _semaphore,
    _is_alive,
    _future,
    _socket,
    _give_way,
    _loop_alone,
    _loop_and_thread,
    _join_0,
    _join_negative,
    _lock_0,
    _rlock_0,
    _simple_queue_0,
    _queue_get_0,
    _queue_put_0,
    _sigtimedwait_0,
    _locked,
    _active_count,
    _enumerate,
    _status,
    _busy,
]


@pytest.mark.parametrize("poll", LOOPS, ids=lambda poll: poll.__name__.lstrip("_"))
@pytest.mark.parametrize("inside", [True, False], ids=["sim", "real"])
def test_a_loop_that_polls_ends_when_it_does_in_reality(poll: Callable[[], None], inside: bool) -> None:
    """Whatever is asked without waiting: not before it comes, and soon after; in a world within a tenth of a second."""
    with World(seed=1) if inside else contextlib.nullcontext():
        begun = time.monotonic()
        poll()
        took = round(time.monotonic() - begun, 6)  # a float of seconds is not exact

    times = 2 if poll is _get_nowait else 1
    start_up = 0.2 if poll in (_poll_a_child, _waitpid, _kill_0, _status) else 0
    assert times * LATER <= took
    if inside:
        assert took < times * LATER + start_up + 0.1


@pytest.mark.parametrize(
    "poll", [_poll_a_child, _get_nowait, _loop_alone, _join_0, _busy], ids=["child", "queue", "loop", "join", "busy"]
)
def test_polling_has_one_history(poll: Callable[[], None]) -> None:
    """What is paid is counted in calls and turns: the same every time."""
    check_determinism(poll, seed=3)
