"""Locks that a program's modules made before the world are waited for in virtual time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from harness.sim import World

LOCK = threading.Lock()
SHARED = threading.Lock()
CONDITION = threading.Condition(SHARED)
EVENT = threading.Event()


class Holder:
    """Has a lock for all of its objects."""

    lock = threading.RLock()


def hold(lock: Any, seconds: float) -> None:
    """Take it, keep it."""
    with lock:
        time.sleep(seconds)


@pytest.mark.parametrize("find", [lambda: LOCK, lambda: Holder.lock], ids=["global", "class"])
def test_a_lock_of_a_module_is_waited_for_in_virtual_time(find: Any) -> None:
    """Three threads that each hold it for a second take three; afterwards it is the one it was, and free."""
    before = id(find())
    with World(1) as world:
        threads = [threading.Thread(target=hold, args=(find(), 1)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.elapsed == 3

    assert id(find()) == before
    assert find().acquire(blocking=False)
    find().release()


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module of the program that has a lock of one name, and one of two."""
    sys.modules["locked_early"] = made = ModuleType("locked_early")
    made.__file__ = "/nowhere/locked_early.py"
    vars(made).update(lock=threading.Lock(), taken=threading.Lock())
    vars(made).update(given=made.taken)
    yield made
    del sys.modules["locked_early"]


@pytest.mark.parametrize(("held", "free"), [("lock", "lock"), ("taken", "given"), ("given", "taken")])
def test_a_killed_process_keeps_no_lock_of_another_one(module: ModuleType, held: str, free: str) -> None:
    """Modules are shared by simulated processes, their locks are not: one that died with it leaves it free."""
    code = f"import locked_early, time; locked_early.{held}.acquire(); time.sleep(100)"
    with World(1):
        child = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(5)
        child.kill()
        assert getattr(module, free).acquire(timeout=1)


def test_a_lock_of_two_names_is_one_lock_in_each_process(module: ModuleType) -> None:
    """Held under the one name it is held under the other one: in the first process, and in another one."""
    code = "import locked_early as m; m.taken.acquire(); raise SystemExit(m.given.acquire(blocking=False))"
    with World(1), module.taken:
        assert not module.given.acquire(blocking=False)
        child = subprocess.Popen([sys.executable, "-c", code])
        assert child.wait(timeout=5) == 0


def test_what_is_made_over_a_lock_stays_with_it() -> None:
    """A condition over a module's lock: both are left as they are, and waited for in virtual time."""
    with World(1) as world:
        notified: list[float] = []

        def wait() -> None:
            with SHARED:
                CONDITION.wait()
                notified.append(world.elapsed)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(2)
        with SHARED:
            CONDITION.notify()
        thread.join()

        assert notified == [2]
        assert not EVENT.wait(3)
        assert world.elapsed == 5
