"""Traces: one hash for a history, and where two histories part."""

from __future__ import annotations

import pytest

from harness.sim.trace import Trace, first_difference


def trace(*kinds: str, **options: int) -> Trace:
    """A trace of events of these kinds, one a microsecond."""
    made = Trace(keep=True, **options)
    for now, kind in enumerate(kinds):
        made.add(now, "server/MainThread", kind, ("x", now))
    return made


def test_the_digest_is_the_history() -> None:
    """Equal events, equal digest; one more, another order or another detail, another digest. This one is literal."""
    assert trace("a", "b").digest == trace("a", "b").digest
    assert len({trace(*kinds).digest for kinds in (("a", "b"), ("b", "a"), ("a",), ("a", "b", "c"))}) == 4
    assert trace("a", "b").digest == "7817e9ca02dc3801ce21b08bc227c81c"


def test_reading_the_digest_changes_nothing() -> None:
    """The rolling hash may be read at any time, across batches."""
    once, often = Trace(), Trace()
    for number in range(3000):
        for one in (once, often):
            one.add(number, "t", "k", (number,))
        assert len(often.digest) == 32
    assert once.digest == often.digest
    assert len(once) == len(often) == 3000


def test_events_are_kept_on_demand() -> None:
    """A trace keeps its events when asked to, and says so when it did not."""
    assert [str(event) for event in trace("a", "b").events] == [
        "0.000000 server/MainThread a x 0",
        "0.000001 server/MainThread b x 1",
    ]
    with pytest.raises(ValueError, match="keep=True"):
        _ = Trace().events


def test_the_first_difference_is_told() -> None:
    """The first event that differs is named from both sides, or the end of the shorter one; equal traces have none."""
    assert first_difference(trace("a", "b"), trace("a", "b")) is None
    difference = first_difference(trace("a", "b", "c"), trace("a", "x", "c"))
    assert str(difference).splitlines() == [
        "the runs differ first at event 1:",
        "  one run: 0.000001 server/MainThread b x 1",
        "  the other: 0.000001 server/MainThread x x 1",
    ]
    shorter = first_difference(trace("a"), trace("a", "b"))
    assert "one run: had ended" in str(shorter)
    assert shorter is not None
    assert shorter.at == 1


def test_stacks_show_where_an_event_happened() -> None:
    """With stacks, a difference names file, line and function of both sides; stacks themselves are not compared."""

    def here() -> Trace:
        return trace("a", stacks=3)

    def there() -> Trace:
        return trace("b", stacks=3)

    text = str(first_difference(here(), there()))
    assert "in here" in text
    assert "in there" in text
    assert f"{__file__}:" in text
    assert first_difference(here(), trace("a", stacks=2)) is None


def test_moments_are_events() -> None:
    """A moment at which time stopped is an event of its own, hashed, kept and compared as the others."""
    early, late = (Trace(keep=True) for _ in range(2))
    for one, now in ((early, 5), (late, 6)):
        one.moment(now)
        one.add(now, "server/MainThread", "run")
    assert early.digest != late.digest
    assert [str(event) for event in early.events] == ["0.000005 - time", "0.000005 server/MainThread run"]
    difference = first_difference(early, late)
    assert difference is not None
    assert (difference.at, str(difference.right)) == (0, "0.000006 - time")
