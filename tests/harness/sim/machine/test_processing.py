"""Locks, semaphores, queues, pipes of `multiprocessing` between threads: one body in both worlds."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time

import pytest

from harness.sim import Deadlock, World, check_determinism

pytestmark = pytest.mark.sim


def test_a_lock_is_waited_for(world: object) -> None:
    """Who waits gets it when it is free, or gives up in the world's time."""
    lock = multiprocessing.Lock()
    assert lock.acquire()
    begin = time.monotonic()
    assert not lock.acquire(timeout=0.1)
    assert 0.09 <= time.monotonic() - begin < 10
    assert not lock.acquire(block=False)
    timer = threading.Timer(0.1, lock.release)
    timer.start()
    with lock:
        assert 0.19 <= time.monotonic() - begin < 10
    timer.join()
    assert lock.acquire(timeout=0)
    lock.release()


def test_a_re_entrant_lock_counts(world: object) -> None:
    """The thread that holds it gets it again; another one only after the last release."""
    lock = multiprocessing.RLock()
    got: list[bool] = []
    with lock, lock:
        thread = threading.Thread(target=lambda: got.append(lock.acquire(timeout=0.05)))
        thread.start()
        thread.join()
    assert got == [False]
    assert lock.acquire(timeout=1)
    lock.release()
    with pytest.raises(AssertionError, match="attempt to release recursive lock not owned by thread"):
        lock.release()


def test_a_semaphore_lets_so_many_in(world: object) -> None:
    """Three threads, two places: the third waits for the first to leave."""
    places = multiprocessing.BoundedSemaphore(2)
    waited: list[float] = []

    def work() -> None:
        begin = time.monotonic()
        with places:
            waited.append(time.monotonic() - begin)
            time.sleep(0.2)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [round(seconds, 1) for seconds in sorted(waited)] == [0.0, 0.0, 0.2]


def test_a_queue_waits_for_its_items(world: object) -> None:
    """`get` gives up in time; a full queue refuses; what was put comes out."""
    items: multiprocessing.Queue[int] = multiprocessing.Queue(1)
    begin = time.monotonic()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.1)
    assert 0.09 <= time.monotonic() - begin < 10
    items.put(7)
    with pytest.raises(queue.Full):
        items.put(8, timeout=0.1)
    assert items.get(timeout=10) == 7
    items.close()
    items.join_thread()


def test_names_of_semaphores_take_nothing_from_the_world_s_chance() -> None:
    """The second world in an interpreter draws what the first one did, although names are drawn by a class."""

    def drawn() -> bytes:
        multiprocessing.Lock()
        return os.urandom(8)

    check_determinism(drawn)


def test_waiting_for_ever_is_a_deadlock() -> None:
    """A lock that nobody will release is reported, in no real time."""
    begin = time.monotonic()
    with World():
        lock = multiprocessing.Lock()
        lock.acquire()
        with pytest.raises(Deadlock, match="a semaphore of multiprocessing"):
            lock.acquire()
    assert time.monotonic() - begin < 10


def test_a_pipe_of_multiprocessing_sends_objects(world: object) -> None:
    """`multiprocessing.Pipe` is simulated, whenever its module was imported."""
    ours, theirs = multiprocessing.Pipe()
    begin = time.monotonic()
    assert not theirs.poll(0.1)
    assert 0.09 <= time.monotonic() - begin < 10
    ours.send({"large": "x" * 1000})
    assert theirs.recv() == {"large": "x" * 1000}
    ours.close()
    with pytest.raises(EOFError):
        theirs.recv()
    theirs.close()
