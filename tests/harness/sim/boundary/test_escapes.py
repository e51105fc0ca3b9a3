"""What no replacement of names reaches is at least found and named."""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import random
import sched  # noqa: F401 - its class is looked at
import threading
import time
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from harness.sim import Nondeterministic, World, check_determinism


def by_default(clock: Callable[[], float] = time.monotonic) -> float:
    """Keeps the clock that was real when this module was imported."""
    return clock()


def by_keyword(*, entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """Keeps the real entropy."""
    return entropy(1)


def in_closure(clock: Callable[[], float]) -> Callable[[], float]:
    """A function that keeps the clock in a variable of its closure."""

    def kept() -> float:
        return clock()

    return kept


class Stamped:
    """Keeps the real clock as an attribute of the class."""

    clock = staticmethod(time.perf_counter)
    raw = time.perf_counter


class Slotted:
    """Keeps it in a slot."""

    __slots__ = ("clock",)

    def __init__(self) -> None:
        self.clock = time.perf_counter_ns


@dataclasses.dataclass
class Row:
    """Makes a lock for each of its objects."""

    lock: Any = dataclasses.field(default_factory=threading.Lock)


CLOSURE = in_closure(time.monotonic_ns)
PARTIAL = functools.partial(time.sleep, 0)
ENTROPY = functools.partial(os.urandom)
LOCKS = functools.partial(threading.Lock)
BY_KEY: Any = collections.defaultdict(threading.Lock)
CLOCKS: dict[str, Any] = {"now": {"cpu": [time.process_time]}}
CHANCE = random.Random(1)
SYSTEM_CHANCE = random.SystemRandom()
STAMPED = Stamped()
STAMPED.own = time.thread_time  # type: ignore[attr-defined]
SLOTTED = Slotted()
BOUND = [by_default]
"""Holds no original itself."""

EXPECTED = """
    BY_KEY.default_factory is _thread.lock
    CLOCKS['now']['cpu'][0] is time.process_time
    ENTROPY.func is posix.urandom
    LOCKS.func is _thread.lock
    PARTIAL.func is time.sleep
    Row.__dataclass_fields__['lock'].default_factory is _thread.lock
    SLOTTED.clock is time.perf_counter_ns
    STAMPED.own is time.thread_time
    Stamped.clock is time.perf_counter
    Stamped.raw is time.perf_counter
    by_default(clock=) is time.monotonic
    by_keyword(entropy=) is posix.urandom
    in_closure.<locals>.kept.<closure>.clock is time.monotonic_ns
"""


def mine(found: list[str]) -> list[str]:
    """Of these sentences those about this module, without its name; locks are called as since Python 3.13.

    Without what a dataclass makes of its fields, which differs between Pythons.
    """
    told = [line.removeprefix(f"{__name__}.") for line in found if line.startswith(__name__) and "_dflt_" not in line]
    told = [line for line in told if not line.startswith("CHANCE")]
    return [line.replace("_thread.allocate_lock", "_thread.lock") for line in told]


def test_each_kind_of_place_is_named() -> None:
    """Defaults, closures, tables in tables, attributes, slots, partials and factories are told by their names."""
    with World() as world:
        inside = mine(world.patcher.escapes())
    after = mine(world.patcher.escapes())

    expected = [line.strip() for line in EXPECTED.strip().splitlines()]
    assert inside == expected
    assert after == expected


def test_what_only_a_variable_holds_is_told() -> None:
    """A partial that no module knows is told as some partial."""
    kept = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    with World() as world:
        found = world.patcher.escapes()

    assert kept() > 0
    assert "some functools.partial.func is time.clock_gettime" in found


def test_the_simulation_itself_is_not_told() -> None:
    """What it keeps to put back, to wrap, and to give to the host is no escape."""
    with World() as world:
        found = world.patcher.escapes()

    assert [line for line in found if line.startswith(("harness.sim", "some harness")) or "__wrapped__" in line] == []


def test_what_was_replaced_is_not_told() -> None:
    """A module's global is replaced, so it is no escape."""
    with World() as world:
        assert monotonic() == 1000.0
        assert not [line for line in world.patcher.escapes() if "test_what_was_replaced" in line]


def test_a_history_that_is_not_repeatable_comes_with_suspects() -> None:
    """When real time leaks into a run, the check's error names the function that let it in."""

    def leaky() -> None:
        time.sleep(by_default() % 1)

    with pytest.raises(Nondeterministic, match=r"by_default\(clock=\) is time\.monotonic"):
        check_determinism(leaky)


def test_generators_made_before_are_told() -> None:
    """A generator in a module's global goes on where it stood; the one of the system, and the library's, do not."""
    with World() as world:
        found = [line for line in world.patcher.escapes() if "which goes on where it stood" in line]

    assert [line for line in found if line.startswith(__name__)] == [
        f"{__name__}.CHANCE is a Random made before, which goes on where it stood"
    ]
    assert [line for line in found if line.startswith(("random.", "secrets.", "harness.sim"))] == []

    with pytest.raises(Nondeterministic, match=r"CHANCE is a Random made before"):
        check_determinism(CHANCE.random)


def test_what_the_world_handles_is_not_told() -> None:
    """`sched.scheduler` is given the world's clock in its constructor, though its defaults are real."""
    with World() as world:
        assert [line for line in world.patcher.escapes() if line.startswith(("sched.", "psutil."))] == []


def test_ended_worlds_hold_nothing() -> None:
    """Worlds that wait for the collector are not searched: the answer is the same after many of them."""
    with World() as world:
        first = world.patcher.escapes()
    for seed in range(20):
        with World(seed):
            pass
    with World() as world:
        last = world.patcher.escapes()

    assert last == first
    assert not [line for line in last if line.startswith("harness.sim")]
