"""A world is opened and closed whole: nothing that it replaced is left behind, whatever happens inside."""

from __future__ import annotations

import _thread
import asyncio
import gc
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from harness.sim import Deadlock, NestedWorld, SimError, ThreadFailed, World
from harness.sim.boundary.patcher import _ABSENT, Patcher
from harness.sim.boundary.registry import Boundary, How


class RealGate:
    """Lets a real thread wait for a simulated one, or the other way round, in real time."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the other side go on."""
        self._lock.release()

    def wait(self) -> None:
        """Wait for it, 10 s at most."""
        assert self._lock.acquire(timeout=10)


def names_of(world: World) -> list[tuple[Any, str, Any]]:
    """Every name that a world has replaced, with what it was."""
    return list(world.patcher._first.values())


def held(owner: Any, name: str) -> Any:
    """What an owner itself holds under a name."""
    return vars(owner).get(name, _ABSENT) if hasattr(owner, "__dict__") else getattr(owner, name)


@contextmanager
def unchanged() -> Iterator[Callable[[World], None]]:
    """Fails when a global of any loaded module, or a name a world had replaced, is another object afterwards."""
    tempfile.mktemp()  # makes, when first called by whoever it is, globals of its own
    modules = {name: dict(vars(module)) for name, module in sys.modules.items() if isinstance(module, ModuleType)}
    classes = {kind: dict(vars(kind)) for kind in (threading.Thread, random.Random, asyncio.Future, logging.Handler)}
    state = os.environ.copy(), list(sys.argv), gc.isenabled(), time.tzname, random.getstate(), logging.root.handlers[:]
    replaced: list[tuple[Any, str, Any]] = []
    yield lambda world: replaced.extend(names_of(world))
    assert replaced
    ours = ("harness.sim", __name__)
    different = [
        f"{name}.{key}"
        for name, before in modules.items()
        for key, value in before.items()
        # Numbers are counters of whoever has them; the tuple of zones is made anew by tzset, and compared below.
        if not name.startswith(ours) and not isinstance(value, int | float | tuple)
        if vars(sys.modules[name]).get(key) is not value
    ]
    assert different == []
    assert {kind: dict(vars(kind)) for kind in classes} == classes
    assert state == (
        os.environ.copy(),
        list(sys.argv),
        gc.isenabled(),
        time.tzname,
        random.getstate(),
        logging.root.handlers[:],
    )
    assert [(owner, name) for owner, name, was in replaced if held(owner, name) is not was] == []


async def _program() -> None:
    await asyncio.gather(asyncio.to_thread(time.sleep, 1), asyncio.sleep(2))


def test_everything_is_put_back() -> None:
    """After a world with loops and threads every global of every loaded module is the object it was."""
    with unchanged() as watch, World(1) as world:
        watch(world)
        asyncio.run(_program())

    assert world.elapsed == 2


def test_everything_is_put_back_after_an_error() -> None:
    """The same when the block ends with an error while threads still wait."""

    def body(watch: Callable[[World], None]) -> None:
        with World(1) as world:
            watch(world)
            threading.Thread(target=time.sleep, args=(1000,)).start()
            time.sleep(1)
            raise KeyError("mine")

    with unchanged() as watch, pytest.raises(KeyError, match="mine"):
        body(watch)


def test_everything_is_put_back_after_a_deadlock() -> None:
    """The same when the kernel ends the world."""

    def body(watch: Callable[[World], None]) -> None:
        with World(1) as world:
            watch(world)
            threading.Event().wait()

    with unchanged() as watch, pytest.raises(Deadlock):
        body(watch)


def test_everything_is_put_back_when_a_part_cannot_be_installed() -> None:
    """A part that fails leaves no half-open world: its error is seen, its `remove` is called, names are as before."""
    removed = []

    class Broken:
        def install(self, world: World) -> None:
            world.patcher.set(time, "sleep", print)
            raise LookupError("no such device")

        def remove(self) -> None:
            removed.append(True)

    real = time.sleep
    with pytest.raises(LookupError, match="no such device"), World(1, parts=(Broken(),)):
        pytest.fail("the world must not open")

    assert time.sleep is real
    assert removed == [True]
    with World(1):
        time.sleep(1)


def test_what_the_block_patched_itself_is_told() -> None:
    """A name that the program replaced inside, and left so, is restored to the real one and named."""
    real = time.sleep
    with World(1) as world:
        time.sleep = print

    assert time.sleep is real
    assert world.patcher.disturbed == ["time.sleep"]


def test_worlds_do_not_nest() -> None:
    """A world inside a world is refused with the reason, and the outer one goes on."""
    with World(1) as outer:
        with pytest.raises(NestedWorld, match="open in this interpreter already"), World(2):
            pytest.fail("the inner world must not open")
        time.sleep(5)
        assert outer.elapsed == 5


def test_two_threads_do_not_have_a_world_each() -> None:
    """What is replaced is replaced for the interpreter: a second world in another real thread is refused, too."""
    errors: list[BaseException] = []
    go, done = RealGate(), RealGate()

    def other() -> None:
        go.wait()
        try:
            with World(2):
                pass
        except SimError as error:
            errors.append(error)
        done.open()

    thread = threading.Thread(target=other)
    thread.start()
    with World(1):
        go.open()
        done.wait()
    thread.join(10)

    assert [type(error) for error in errors] == [NestedWorld]


def test_a_world_is_opened_once() -> None:
    """A world that was closed has its history; to run again a new one is made."""
    with World(1) as world:
        pass

    with pytest.raises(SimError, match="was open before"), world:
        pass


def test_a_world_shows_its_time() -> None:
    """`elapsed` counts from 0, `now` is the wall clock of its epoch."""
    with World(epoch=datetime(2030, 1, 1, tzinfo=UTC)) as world:
        time.sleep(90.5)

        assert world.elapsed == 90.5
        assert world.now == datetime(2030, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC).timestamp()


def test_threads_that_outlive_the_block_are_unwound() -> None:
    """A thread that waits when the block ends is ended without running on; what it catches does nothing real."""
    seen: list[str] = []

    def stubborn() -> None:
        try:
            time.sleep(1000)
        finally:
            seen.append("finally")
            time.sleep(1)
            seen.append("after a simulated call")

    with World(1):
        thread = threading.Thread(target=stubborn)
        thread.start()
        time.sleep(1)

    assert seen == ["finally"]
    assert not thread.is_alive()


def test_an_error_in_a_thread_s_foundation_ends_the_world() -> None:
    """What escapes a thread that has no `threading.Thread` to report it is raised in the block."""

    def broken() -> None:
        raise ZeroDivisionError

    with World(1) as world:
        world.kernel.spawn(world.kernel.current_process, "low", broken)
        with pytest.raises(ThreadFailed) as caught:
            time.sleep(1)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_part_of_the_user_s_own() -> None:
    """A part patches through the world's patcher, and says what it simulates in its module's BOUNDARY."""
    with World(1, parts=(Dice(),)) as world:
        assert random.randint(1, 6) == 4
        assert world.boundary.how("random.randint") is How.SIMULATED


class Dice:
    """Chosen by fair dice roll."""

    def install(self, world: World) -> None:
        """Make every roll a 4."""
        world.patcher.replace(random, "randint", lambda low, high: 4)

    def remove(self) -> None:
        """Nothing but names was touched."""


BOUNDARY = (Boundary("random.randint", How.SIMULATED, "guaranteed to be random"),)


def test_leaving_out_parts_leaves_their_names_fenced() -> None:
    """The registry of a world says what holds in it, not what could."""
    with World(machine=False, zmq=False) as bare:
        pass

    assert bare.boundary.how("subprocess.Popen") is How.FENCED
    assert bare.boundary.how("time.sleep") is How.SIMULATED


class Late(BaseException):
    """What a time limit of the host raises, as pytest-timeout does."""


def _late(number: int, frame: object) -> None:
    raise Late


def spinning() -> None:
    """Runs for ever in virtual time."""
    while True:
        time.sleep(0.01)


@pytest.fixture
def limit() -> Iterator[Callable[[float], None]]:
    """A time limit in real time: ``limit(0.3)`` sends the main thread a real signal whose handler raises `Late`.

    SIGUSR1 from a thread of the host, as the alarm belongs to pytest-timeout.
    """
    main, before = threading.get_ident(), signal.signal(signal.SIGUSR1, _late)
    threads: list[threading.Thread] = []

    def start(seconds: float) -> None:
        def kill() -> None:
            time.sleep(seconds)
            signal.pthread_kill(main, signal.SIGUSR1)

        threads.append(threading.Thread(target=kill))
        threads[0].start()

    yield start
    for thread in threads:
        thread.join(10)
    signal.signal(signal.SIGUSR1, before)


def test_a_time_limit_of_the_host_ends_a_world(limit: Callable[[float], None]) -> None:
    """What a real signal's handler raises while another thread runs ends the world, and says what the threads did."""
    limit(0.6)  # opening a world may take a while on a busy machine
    real = time.sleep

    def body() -> None:
        with World(1):
            threading.Thread(target=spinning, name="spinner").start()
            threading.Event().wait()

    with pytest.raises(Late) as caught:
        body()

    assert time.sleep is real
    (note,) = caught.value.__notes__
    assert "the simulated world at that moment:" in note
    assert "spinner: waits for its sleep" in note
    assert "in spinning" in note


def test_opening_a_world_costs_milliseconds() -> None:
    """A thousand seeds must not be spent on opening worlds: the best of 20 takes less than 200 ms of CPU."""
    costs = []
    for _ in range(20):
        before = time.process_time()
        with World(1):
            pass
        costs.append(time.process_time() - before)

    assert min(costs) < 0.2


def test_the_patcher_of_a_closed_world_holds_nothing() -> None:
    """Restoring twice changes nothing: a closed world keeps no grip on names."""
    with World(1) as world:
        pass
    real = time.sleep
    world.patcher.restore()

    assert time.sleep is real
    assert isinstance(world.patcher, Patcher)
