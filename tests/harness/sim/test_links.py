"""Links: latency and cuts, by names of processes."""

from __future__ import annotations

import pytest

from harness.sim.links import Links

pytestmark = [pytest.mark.sim, pytest.mark.unit]


def test_most_particular_latency_counts() -> None:
    """A pair beats a source, a source beats a target, and all beat the default."""
    links = Links((1, 2))
    links.set_latency("*", "b", (3, 3))
    links.set_latency("a", "*", (4, 4))
    assert links.latency("x", "y") == (1, 2)
    assert links.latency("x", "b") == (3, 3)
    assert links.latency("a", "b") == (4, 4)
    links.set_latency("a", "b", (5, 5))
    assert links.latency("a", "b") == (5, 5)


def test_cuts_go_one_way() -> None:
    """What is cut from a to b is open from b to a; a process always reaches itself."""
    links = Links((0, 0))
    links.cut("a", "b")
    assert not links.open("a", "b")
    assert links.open("b", "a")
    links.cut("*", "*")
    assert not links.open("c", "d")
    assert links.open("c", "c")
    assert links.cuts == (("a", "b"), ("*", "*"))


def test_healing() -> None:
    """A pair is healed by its name; without a name all are."""
    links = Links((0, 0))
    links.cut("a", "b")
    links.cut("a", "c")
    links.heal("a", "b")
    assert links.open("a", "b")
    assert not links.open("a", "c")
    links.heal()
    assert links.open("a", "c")


@pytest.mark.parametrize("latency", [(-1, 0), (2, 1)])
def test_latency_is_a_range(latency: tuple[int, int]) -> None:
    """A range that is negative or upside down is refused with the range."""
    with pytest.raises(ValueError, match=rf"got \({latency[0]}, {latency[1]}\)"):
        Links(latency)
