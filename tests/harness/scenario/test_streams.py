"""Random streams: by seed and name alone."""

from __future__ import annotations

from harness.scenario.streams import Streams


def test_equal_names_equal_numbers() -> None:
    """A stream depends on seed and name, not on what else was drawn before."""
    first, second = Streams(7), Streams(7)
    first.stream("other").random()
    assert [first.stream("faults").random() for _ in range(2)] == [second.stream("faults").random()] * 2


def test_other_names_and_seeds_differ() -> None:
    """Another name or another seed is another stream."""
    draws = {Streams(seed).stream(name).random() for seed in (7, 8) for name in ("a", "b")}
    assert len(draws) == 4


def test_numbers_stay_the_same_for_ever() -> None:
    """The streams are part of what a seed means: a change of theirs breaks every stored seed."""
    assert Streams(7).stream("faults").getrandbits(32) == 2903613335
    assert Streams(7).integer("faker") == 8704172531855452078


def test_streams_below() -> None:
    """A part with streams of its own does not share them with its parent."""
    assert Streams(7).below("cycle 3").stream("a").random() == Streams(7).below("cycle 3").stream("a").random()
    assert Streams(7).below("cycle 3").stream("a").random() != Streams(7).stream("a").random()
