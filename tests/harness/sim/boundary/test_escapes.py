"""What no replacement of names reaches is at least found and named."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from time import monotonic

import pytest

from harness.sim import Nondeterministic, World, check_determinism


def by_default(clock: Callable[[], float] = time.monotonic) -> float:
    """Keeps the clock that was real when this module was imported."""
    return clock()


def by_keyword(*, entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """Keeps the real entropy."""
    return entropy(1)


class Stamped:
    """Keeps the real clock as an attribute of the class."""

    clock = staticmethod(time.perf_counter)
    raw = time.perf_counter


PARTIAL = functools.partial(time.sleep, 0)


def test_each_kind_of_place_is_named() -> None:
    """Defaults, keyword defaults, class attributes and partials that hold an original are told, each with its owner."""
    with World() as world:
        found = world.patcher.escapes()

    mine = [line for line in found if __name__ in line or "partial" in line]
    assert [line.removeprefix(f"{__name__}.") for line in mine if __name__ in line] == [
        "Stamped has the attribute time.perf_counter",
        "by_default has the default time.monotonic",
        "by_keyword has the default posix.urandom",
    ]
    assert "a partial of time.sleep" in mine


def test_what_was_replaced_is_not_told() -> None:
    """A module's global is replaced, so it is no escape."""
    with World() as world:
        assert monotonic() == 1000.0
        assert not [line for line in world.patcher.escapes() if "test_what_was_replaced" in line]


def test_a_history_that_is_not_repeatable_comes_with_suspects() -> None:
    """When real time leaks into a run, the check's error names the function that let it in."""

    def leaky() -> None:
        time.sleep(by_default() % 1)

    with pytest.raises(Nondeterministic, match=r"by_default has the default time\.monotonic"):
        check_determinism(leaky)
