"""The selector of simulated loops: what is watched, waited for, and refused."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any

import pytest

from harness.sim import World
from harness.sim.selector import SimSelector


class Lamp:
    """A descriptor that is ready when it is told so."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.mask = 0
        self.watchers: list[Callable[[], None]] = []

    def events(self) -> int:
        """What it is ready for."""
        return self.mask

    def shine(self, mask: int) -> None:
        """Be ready for `mask` from now on."""
        self.mask = mask
        for watcher in list(self.watchers):
            watcher()


@pytest.fixture
def lit(monkeypatch: pytest.MonkeyPatch) -> Callable[[World], tuple[SimSelector, Lamp]]:
    """A selector in a world, and a lamp that it can watch."""

    def make(world: World) -> tuple[SimSelector, Lamp]:
        process: Any = world.kernel.current_process
        lamp = Lamp(123_456_789)
        monkeypatch.setattr(process, "descriptors", {lamp.number: lamp}, raising=False)
        return SimSelector(world.kernel, process), lamp

    return make


def test_a_selector_waits_for_what_is_watched(lit: Callable[[World], tuple[SimSelector, Lamp]]) -> None:
    """`select` returns when a watched event comes, not for another one, and not before."""
    with World(machine=False, zmq=False) as world:
        selector, lamp = lit(world)
        selector.register(lamp.number, selectors.EVENT_READ, "data")
        world.kernel.call_later(1_000_000, lambda: lamp.shine(selectors.EVENT_WRITE))
        world.kernel.call_later(2_000_000, lambda: lamp.shine(selectors.EVENT_READ | selectors.EVENT_WRITE))
        ready = selector.select()
        if not ready:  # the wrong event woke it: a spurious return is allowed, a wrong one is not
            ready = selector.select()

        assert [(key.data, events) for key, events in ready] == [("data", selectors.EVENT_READ)]
        assert world.elapsed == 2
        selector.modify(lamp.number, selectors.EVENT_WRITE, "other")
        assert [(key.data, events) for key, events in selector.select(0)] == [("other", selectors.EVENT_WRITE)]
        selector.unregister(lamp.number)
        assert lamp.watchers == []
        assert selector.select(3) == []
        assert world.elapsed == 5


def test_a_selector_s_mistakes(lit: Callable[[World], tuple[SimSelector, Lamp]]) -> None:
    """Registering twice, for no events, a negative number, asking for what is not watched: as `selectors` does."""
    with World(machine=False, zmq=False) as world:
        selector, lamp = lit(world)
        selector.register(lamp.number, selectors.EVENT_READ)

        with pytest.raises(KeyError, match="already registered"):
            selector.register(lamp.number, selectors.EVENT_READ)
        with pytest.raises(ValueError, match="Invalid events"):
            selector.register(lamp.number, 0)
        with pytest.raises(ValueError, match="Invalid file descriptor"):
            selector.register(-1, selectors.EVENT_READ)
        with pytest.raises(KeyError):
            selector.get_key(99)
        selector.close()
        assert selector.get_map() == {}
        assert lamp.watchers == []
