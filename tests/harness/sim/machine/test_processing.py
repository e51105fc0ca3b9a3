"""Locks, semaphores, queues, pipes, shared memory of `multiprocessing`: one body in both worlds."""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
import multiprocessing
import multiprocessing.resource_tracker
import multiprocessing.util
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest

from harness.sim import Deadlock, World, check_determinism

pytestmark = pytest.mark.sim
TRACKER: Any = multiprocessing.resource_tracker
SPAWN = multiprocessing.get_context("spawn")
SHARED = Path("/dev/shm")


@pytest.fixture(autouse=True)
def no_tracker_left() -> Iterator[None]:
    """The tracker of reality that a test has started ends with it: its pipe would be a descriptor left behind."""
    tracker = TRACKER._resource_tracker
    running = tracker._fd is not None
    yield
    if not running:
        tracker._stop()


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
    """Two places, both taken: the third waits until one of them leaves."""
    places = multiprocessing.BoundedSemaphore(2)
    assert places.acquire()
    assert places.acquire()
    assert not places.acquire(block=False)
    entered: list[float] = []
    begin = time.monotonic()

    def work() -> None:
        with places:
            entered.append(time.monotonic() - begin)

    third = threading.Thread(target=work)
    third.start()
    time.sleep(0.2)
    assert entered == []
    places.release()
    third.join(10)
    assert 0.19 <= entered[0] < 10
    places.release()
    with pytest.raises(ValueError, match="too many times"):
        places.release()


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


def _tracked() -> tuple[object, object]:
    return TRACKER._resource_tracker._fd, TRACKER._resource_tracker._pid


def test_who_opens_a_semaphore_by_its_name_waits_for_the_same_one(world: object) -> None:
    """What one process lets go of wakes another one's thread, though each has a hold of its own."""
    ours: Any = SPAWN.Lock()
    lock = ours._semlock
    theirs = _multiprocessing.SemLock._rebuild(lock.handle, lock.kind, lock.maxvalue, lock.name)
    assert ours.acquire()
    assert not theirs.acquire(False)
    assert (theirs._count(), theirs._is_zero()) == (0, True)
    timer = threading.Timer(0.1, ours.release)
    timer.start()
    assert theirs.acquire(True, 10)
    timer.join()
    assert not ours.acquire(block=False)
    theirs.release()
    with pytest.raises(ValueError, match="semaphore or lock released too many times"):
        theirs.release()


def test_the_name_of_a_semaphore_goes_with_it(world: object) -> None:
    """It can be opened by its name as long as there is one, and then no more."""
    lock: Any = SPAWN.Lock()
    known = lock._semlock.handle, lock._semlock.kind, lock._semlock.maxvalue, lock._semlock.name
    with pytest.raises(FileExistsError):
        _multiprocessing.SemLock(1, 1, 1, known[3], False)
    del lock
    with pytest.raises(FileNotFoundError):
        _multiprocessing.SemLock._rebuild(*known)


def test_shared_memory_is_shared_by_its_name(world: object) -> None:
    """Who attaches sees what the other writes; a name is given once; without a name nobody attaches any more."""
    ours: Any = SharedMemory(create=True, size=10)
    theirs: Any = SharedMemory(ours.name)
    ours.buf[3] = 7
    assert theirs.buf[3] == 7
    with pytest.raises(FileExistsError):
        SharedMemory(ours.name, create=True, size=10)
    theirs.close()
    ours.unlink()
    assert ours.buf[3] == 7
    with pytest.raises(FileNotFoundError, match=ours.name):
        SharedMemory(ours.name)
    ours.close()


def test_nothing_of_a_world_is_in_the_memory_that_the_machine_shares() -> None:
    """Semaphores and segments are the world's: neither is in /dev/shm, while it lasts or after it."""
    with World(seed=os.getpid()):  # names that no other run of this test draws at the same time
        lock: Any = SPAWN.Lock()
        names = f"sem.{lock._semlock.name[1:]}", SharedMemory(create=True, size=10).name
        assert [name for name in names if (SHARED / name).exists()] == []
    assert [name for name in names if (SHARED / name).exists()] == []


def test_a_tracker_of_resources_stays_in_its_world() -> None:
    """The next world starts its own, as reality does: the number of one's pipe means nothing to the other."""
    before = _tracked()
    for seed in (1, 2):
        with World(seed=seed):
            SPAWN.Lock()
            assert _tracked() != before
        assert _tracked() == before
    SPAWN.Lock()


def test_a_world_has_no_use_for_the_tracker_of_reality() -> None:
    """The first process of a world begins without one, so that its history is that of any other run."""
    SPAWN.Lock()
    with World(seed=1):
        assert _tracked() == (None, None)


def test_a_segment_left_behind_changes_no_history() -> None:
    """A segment of reality that has the name which the world draws is not in its way."""

    def drawn() -> tuple[str, bytes]:
        made = SharedMemory(create=True, size=10)
        made.close()
        return made.name, os.urandom(8)

    seed = os.getpid()  # names that no other run of this test draws at the same time
    with World(seed=seed) as first:
        expected = drawn()
    left = SharedMemory(expected[0], create=True, size=10)
    try:
        with World(seed=seed) as second:
            assert drawn() == expected
    finally:
        left.close()
        left.unlink()
    assert second.digest == first.digest


def test_a_process_that_ends_runs_no_finalizer_of_another() -> None:
    """Neither those of the program that opened the world, nor those of the process that started it."""
    ran: list[str] = []
    host = multiprocessing.util.Finalize(None, ran.append, ("host",), exitpriority=0)
    ends = "import multiprocessing.util; multiprocessing.util._run_finalizers()"
    with World(seed=1):
        parent = multiprocessing.util.Finalize(None, ran.append, ("parent",), exitpriority=0)
        subprocess.run([sys.executable, "-c", ends], check=True)
        assert parent.still_active()
        parent()
    assert host.still_active()
    host()
    assert ran == ["parent", "host"]


@pytest.mark.filterwarnings("error")
def test_the_end_of_a_world_is_not_a_leak(recwarn: pytest.WarningsRecorder) -> None:
    """A tracker that is unwound with its world says nothing of resources that were left to the world."""
    with World(seed=1):
        kept = SPAWN.Lock(), SharedMemory(create=True, size=10)
        time.sleep(5)
    del kept
    assert [str(warning.message) for warning in recwarn] == []
