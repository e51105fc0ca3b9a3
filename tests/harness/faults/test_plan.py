"""The plan of the faults: drawn from the seed, inside the run, as far apart as the nemesis asks."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.faults.nemesis import Stretch, gaps, most_at_once, spread, swarm
from harness.faults.plan import Occurrence, draw_plan
from harness.scenario.model import FaultSpec, Scenario

LASTS = {"process.kill": 8.0, "zmq.state": 0.0}


class Streams:
    """Streams as the harness draws them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: Any) -> Any:
        """The stream of that name."""
        return random.Random(f"{self.seed}/{name}")


def scenario(*faults: Any, nemesis: Any = None) -> Any:
    """A scenario with these faults."""
    return Scenario.model_validate(
        {
            "scenario": 1,
            "name": "s",
            "kind": "chaos",
            "target": {"driver": "x"},
            "faults": list(faults),
            "nemesis": nemesis,
            "workload": [{"id": "w", "op": "o", "model": "once"}],
        }
    )


def plan(*faults: Any, seed: int = 1, duration: Any = 60.0, nemesis: Any = None) -> Any:
    """The plan of a run of one minute."""
    return draw_plan(
        scenario(*faults, nemesis=nemesis), Streams(seed), duration, lasts=lambda spec: LASTS.get(spec.kind)
    )


def occurrences(**fault: Any) -> Any:
    """The occurrences of one fault."""
    (planned,) = plan({"id": "f", "kind": "process.pause", **fault})
    return planned.occurrences


def test_at_a_time_for_a_time() -> None:
    """Start and length are what the scenario says."""
    assert occurrences(at="10s", **{"for": "5s"}) == (Occurrence(10.0, 15.0),)


def test_from_to() -> None:
    """A stretch is one occurrence."""
    assert occurrences(**{"from": "10s", "to": "25s"}) == (Occurrence(10.0, 25.0),)


def test_without_an_end_it_lasts_to_the_end_of_the_run() -> None:
    """No ``for``, or ``keep``: nobody heals it before the run ends."""
    assert occurrences(at="10s") == (Occurrence(10.0, None),)
    assert occurrences(at="10s", keep=True) == (Occurrence(10.0, None),)


def test_what_is_over_by_itself_is_healed_at_once() -> None:
    """A kill needs no ``for``: healing begins directly and waits for the process to return."""
    assert occurrences(kind="process.kill", at="10s") == (Occurrence(10.0, 10.0),)


def test_every_draws_gaps_within_the_range_and_never_overlaps_itself() -> None:
    """Starts lie 5 to 9 s apart, and at least as far as the fault lasts."""
    found = occurrences(every="5s..9s", **{"for": "7s"})
    steps = [b.start - a.start for a, b in itertools.pairwise(found)]
    assert 6 <= len(found) <= 9
    assert all(7.0 - 1e-6 <= step <= 9.0 for step in steps)
    assert 5.0 <= found[0].start <= 9.0
    assert all(0 <= occurrence.start < 60.0 for occurrence in found)


def test_every_within_a_window() -> None:
    """``from`` and ``to`` bound what ``every`` draws."""
    found = occurrences(every="2s", **{"from": "10s", "to": "20s", "for": "1s"})
    assert found == tuple(Occurrence(t, t + 1.0) for t in (12.0, 14.0, 16.0, 18.0))


def test_a_trigger_has_a_window_and_no_times() -> None:
    """What waits for an event is listened for from the start, or within from..to."""
    free, bound = plan(
        {"id": "a", "kind": "zmq.state", "how": "recv-first", "when": {"event": "job.sent", "nth": 2}},
        {
            "id": "b",
            "kind": "process.pause",
            "when": {"event": "job.sent", "odds": "5%"},
            "from": "5s",
            "to": "9s",
        },
    )
    assert (free.occurrences, free.window) == ((), (0.0, math.inf))
    assert (bound.occurrences, bound.window) == ((), (5.0, 9.0))


def test_a_time_after_the_end_is_told() -> None:
    """A fault that can never come says so instead of vanishing."""
    assert (
        plan({"id": "f", "kind": "process.pause", "every": "3s", "from": "70s"})[0].left_out
        == "its time comes after the run's end at 60 s"
    )
    (planned,) = plan({"id": "f", "kind": "process.pause", "at": "2m"})
    assert (planned.occurrences, planned.left_out) == ((), "its time comes after the run's end at 60 s")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"every": "1us"}, "means more than 100000 times; is the unit right?"),
        ({"after": "g.heal"}, "`after: g.heal` names no other fault; the others are: none"),
        ({"after": "f.heal"}, "names no other fault"),
    ],
)
def test_times_that_cannot_be_drawn_are_refused(fault: Any, message: str) -> None:
    """Mistakes are found before anything is started."""
    with pytest.raises(UsageError, match=message):
        plan({"id": "f", "kind": "process.pause", **fault})


def test_one_seed_one_plan_and_other_seeds_others() -> None:
    """The plan is a function of the seed."""
    fault = {"id": "f", "kind": "process.pause", "every": "3s..9s", "for": "1s"}
    assert plan(fault, seed=4) == plan(fault, seed=4)
    assert len({plan(fault, seed=seed) for seed in range(10)}) == 10


def test_adding_a_fault_moves_no_other() -> None:
    """Each fault has its own stream."""
    first = {"id": "f", "kind": "process.pause", "every": "3s..9s", "for": "1s"}
    other = {"id": "g", "kind": "process.kill", "every": "3s..9s"}
    assert plan(other, first)[1] == plan(first)[0]


def test_a_swarm_leaves_some_out_and_says_so() -> None:
    """Over many seeds every fault is played and left out; never none is played."""
    faults = [{"id": f"f{n}", "kind": "process.pause", "at": "5s", "for": "1s"} for n in range(4)]
    plans = [plan(*faults, seed=seed, nemesis={"swarm": True}) for seed in range(40)]
    played = [frozenset(p.spec.id for p in one if p.occurrences) for one in plans]
    assert all(played)
    assert all(any(f"f{n}" in one for one in played) and any(f"f{n}" not in one for one in played) for n in range(4))
    assert {p.left_out for one in plans for p in one if not p.occurrences} == {"not in the swarm of this seed"}


@given(st.integers(0, 10_000))
def test_a_swarm_keeps_followers_with_what_they_follow(seed: int) -> None:
    """A fault ``after`` another is never played without it, and some fault that starts by itself always is."""
    specs = [
        FaultSpec(id="a", kind="k", at=1.0),
        FaultSpec(id="b", kind="k", after="a.heal"),
        FaultSpec(id="c", kind="k", after="b.heal"),
        FaultSpec(id="d", kind="k", at=1.0),
    ]
    kept = swarm(specs, random.Random(seed))
    assert kept & {"a", "d"}
    assert "b" not in kept or "a" in kept
    assert "c" not in kept or "b" in kept


stretches = st.builds(
    lambda start, length: Stretch(start, round(start + length, 3)),
    st.floats(0, 50).map(lambda x: round(x, 3)),
    st.one_of(st.floats(0, 20).map(lambda x: round(x, 3)), st.just(math.inf)),
)


@settings(max_examples=4 * settings().max_examples)
@given(st.lists(stretches, max_size=12), st.integers(1, 4), st.floats(0, 6).map(lambda x: round(x, 2)))
def test_the_nemesis_keeps_its_promises(wanted: Any, overlap: Any, quiet: Any) -> None:
    """Never more at once than allowed, quiet before every new beginning, nothing earlier than wanted, lengths
    as they were.
    """
    placed = spread(wanted, overlap=overlap, quiet=quiet, duration=60.0)
    kept = [stretch for stretch in placed if stretch is not None]
    assert most_at_once(kept) <= overlap
    assert all(gap >= quiet - 1e-6 for gap in gaps(kept))
    for before, after in zip(wanted, placed, strict=True):
        if after is not None:
            assert before.start <= after.start < 60.0
            assert after.end - after.start == pytest.approx(before.end - before.start)


@given(st.lists(stretches, max_size=12))
def test_a_nemesis_without_bounds_moves_nothing(wanted: Any) -> None:
    """Without overlap and quiet the plan is what was drawn."""
    assert spread(wanted, overlap=None, quiet=0.0, duration=60.0) == tuple(wanted)


def test_a_kill_keeps_its_slot_until_its_process_must_be_back() -> None:
    """With one fault at a time the next waits for the 8 s that the restart may take, though the kill itself is
    instant.
    """
    kill, pause = plan(
        {"id": "kill", "kind": "process.kill", "at": "10s"},
        {"id": "pause", "kind": "process.pause", "at": "11s", "for": "2s"},
        nemesis={"overlap": 1, "quiet": "3s"},
    )
    assert (kill.occurrences, pause.occurrences) == ((Occurrence(10.0, 10.0),), (Occurrence(21.0, 23.0),))


def test_what_finds_no_room_is_counted() -> None:
    """An occurrence that cannot be placed before the end is left out and told."""
    hold, late = plan(
        {"id": "hold", "kind": "process.pause", "at": "1s"},
        {"id": "late", "kind": "process.pause", "at": "2s", "for": "1s"},
        nemesis={"overlap": 1},
    )
    assert (hold.no_room, late.no_room, late.left_out) == (
        0,
        1,
        "the nemesis found no room for it beside the others",
    )
