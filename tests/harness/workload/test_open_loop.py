"""The open model sends at intended times whatever the answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from harness.history.history import History
from harness.history.records import Drop, Event, Operation, Sample, Status
from harness.targets.base import Reply

pytestmark = [pytest.mark.unit, pytest.mark.load]


def test_slow_answers_do_not_slow_the_arrivals(play: Callable[..., History], target: Any) -> None:
    """With answers after 3 s and 10 calls/s, call k still starts at k/10 s and ends 3 s later."""
    history = play({"rate": "10/s", "for": "2s"}, target(3.0))
    operations = history.of(Operation)

    assert [round(o.start, 6) for o in operations] == [round(k / 10, 6) for k in range(20)]
    assert all(o.end - o.intended == pytest.approx(3.0) for o in operations)
    assert {o.status for o in operations} == {Status.OK}
    assert operations[0].ref == "job-1"


def test_latency_counts_from_the_intended_time_when_the_generator_stalls(
    play: Callable[..., History], target: Any
) -> None:
    """A stall of 2 s of the generator itself shows in `start`, not in `intended`: nothing is omitted."""
    operations = play({"rate": "10/s", "for": "5s"}, target(0.0), block=(1.07, 2.0)).of(Operation)
    late = [o for o in operations if o.start - o.intended > 0.5]

    assert [round(o.intended, 6) for o in operations] == [round(k / 10, 6) for k in range(50)]
    assert len(late) == 15  # those intended from 1.1 s to 2.5 s: the stall ended at 3.07 s
    assert late[0].end - late[0].intended == pytest.approx(1.97)


def test_a_generator_that_fell_behind_says_so(play: Callable[..., History], target: Any) -> None:
    """The same stall leaves the event that turns the run unknown, with its figures."""
    history = play({"rate": "10/s", "for": "5s"}, target(0.0), block=(1.07, 2.0))
    [behind] = [e for e in history.of(Event) if e.name == "generator-behind"]

    assert behind.place == "w"
    assert (behind.detail["calls"], behind.detail["late"]) == (50, 20)
    assert (behind.detail["overdue"], behind.detail["overdue_after"]) == (10, 1.0)
    assert behind.detail["worst"] == pytest.approx(1.97)
    assert max(s.value for s in history.of(Sample) if s.name == "generator-lag") == pytest.approx(1.97)


def test_a_generator_on_time_has_samples_and_no_event(play: Callable[..., History], target: Any) -> None:
    """No lag is proven by samples, about one a second, not by their absence."""
    history = play({"rate": "10/s", "for": "5s"}, target(0.0))

    assert [e.name for e in history.of(Event)] == ["driver-returned"]
    samples = [s for s in history.of(Sample) if s.name == "generator-lag"]
    assert len(samples) == 6
    assert {(s.value, s.place) for s in samples} == {(0.0, "w")}


def test_arrivals_beyond_the_cap_are_counted(play: Callable[..., History], target: Any) -> None:
    """At 10/s with 5 in flight and answers after 1 s, every other half second is dropped, and each drop
    recorded.
    """
    history = play({"rate": "10/s", "for": "2s", "in_flight": {"max": 5, "over": "count"}}, target(1.0))

    assert [round(o.intended, 1) for o in history.of(Operation)] == [
        0.0,
        0.1,
        0.2,
        0.3,
        0.4,
        1.0,
        1.1,
        1.2,
        1.3,
        1.4,
    ]
    assert [round(d.intended, 1) for d in history.of(Drop)] == [
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1.5,
        1.6,
        1.7,
        1.8,
        1.9,
    ]


def test_arrivals_beyond_the_cap_may_wait(play: Callable[..., History], target: Any) -> None:
    """`over: wait` drops nothing, counts the waiting into the latency, and does not blame the generator for
    it.
    """
    history = play({"rate": "10/s", "for": "2s", "in_flight": {"max": 5, "over": "wait"}}, target(1.0))
    operations = history.of(Operation)

    assert len(operations) == 20
    assert history.of(Drop) == ()
    assert max(o.end - o.intended for o in operations) == pytest.approx(3.0 + 1.0 - 1.9 + 0.4, abs=0.2)
    assert "generator-behind" not in [e.name for e in history.of(Event)]


def test_warm_up_is_marked(play: Callable[..., History], target: Any) -> None:
    """Stages without `measure` leave operations that no threshold counts."""
    stages = [{"for": "1s", "rate": "4/s"}, {"for": "1s", "rate": "8/s", "measure": True}]
    operations = play({"stages": stages}, target(0.0)).of(Operation)

    assert [o.measured for o in operations] == [False] * 4 + [True] * 8


def test_at_delays_the_whole_plan(play: Callable[..., History], target: Any) -> None:
    """``at: 30s`` is scenario time."""
    operations = play({"rate": "2/s", "for": "1s", "at": "30s"}, target(0.0)).of(Operation)

    assert [o.intended for o in operations] == [30.0, 30.5]


def test_poisson_arrivals_repeat_with_the_seed(play: Callable[..., History], target: Any) -> None:
    """The same seed, the same moments; and they are not evenly spaced."""
    spec = {"rate": "20/s", "for": "5s", "arrivals": "poisson"}
    first, second = (play(spec, target(0.0)).of(Operation) for _ in range(2))

    assert [o.intended for o in first] == [o.intended for o in second]
    assert len({round(b.intended - a.intended, 4) for a, b in itertools.pairwise(first)}) > 20


def test_one_seed_one_history(play: Callable[..., History], target: Any) -> None:
    """In virtual time two runs of one seed are equal byte for byte."""
    spec = {"rate": "50/s", "for": "5s", "with": {"handler": "h*"}, "arrivals": "poisson"}

    assert play(spec, target(0.2)).dumps() == play(spec, target(0.2)).dumps()


def test_stop_ends_arrivals_at_once_and_gives_calls_a_grace(play: Callable[..., History], target: Any) -> None:
    """Told to stop at 1.05 s with answers after 2 s: no further arrival, the eleven calls under way end
    well.
    """
    history = play({"rate": "10/s", "for": "60s"}, target(2.0), stop_at=1.05)

    assert len(history.of(Operation)) == 11
    assert {o.status for o in history.of(Operation)} == {Status.OK}
    assert history.of(Event)[-1].at == pytest.approx(3.0)


def test_calls_beyond_the_grace_are_recorded_as_info(play: Callable[..., History], target: Any) -> None:
    """After the grace of 0.5 s what has not ended is info: it may still take effect, and nobody can know."""
    history = play({"rate": "10/s", "for": "60s"}, target(100.0), stop_at=1.05, grace=0.5)
    operations = history.of(Operation)

    assert len(operations) == 11
    assert {(o.status, o.error) for o in operations} == {
        (Status.INFO, "still under way when the workload ended")
    }
    assert {round(o.end, 6) for o in operations} == {1.55}


def test_a_call_that_never_returns_does_not_hold_up_the_end(play: Callable[..., History], target: Any) -> None:
    """Without a stop, a stuck call is given its own time-out and one second."""
    history = play({"rate": "1/s", "for": "1s", "timeout": "2s"}, target(1e6))

    assert [o.status for o in history.of(Operation)] == [Status.INFO]
    assert history.of(Operation)[0].end == pytest.approx(3.0)


def test_a_driver_that_raises_is_evidence(play: Callable[..., History], target: Any) -> None:
    """A target must not raise; if it does, the load goes on and the record names the exception."""

    async def behave(number: int, args: Mapping[str, Any]) -> Reply:
        if number == 2:
            raise ValueError("bad luck")
        return Reply(Status.FAIL, error="refused")

    operations = play({"rate": "3/s", "for": "1s"}, target(behave=behave)).of(Operation)

    assert [(o.status, o.error) for o in operations] == [
        (Status.FAIL, "refused"),
        (Status.INFO, "the driver raised ValueError: bad luck"),
        (Status.FAIL, "refused"),
    ]


def test_a_call_that_its_target_cancels_ends_as_info(play: Callable[..., History], target: Any) -> None:
    """Closing a zmq.asyncio socket cancels its waiters: that must not lose the record."""

    async def behave(number: int, args: Mapping[str, Any]) -> Reply:
        raise asyncio.CancelledError

    operations = play({"rate": "2/s", "for": "1s"}, target(behave=behave)).of(Operation)

    assert [(o.status, o.error) for o in operations] == [(Status.INFO, "the call was cancelled")] * 2


def test_the_nth_arrival_carries_the_same_values_whatever_was_dropped(
    play: Callable[..., History], target: Any
) -> None:
    """Drops shift no draw: the calls that are sent carry what they would have carried without drops."""
    spec = {"rate": "10/s", "for": "2s", "with": {"handler": "h*"}}
    handlers = tuple(f"h{n}" for n in range(1, 30))
    free = play({**spec, "in_flight": {"max": 100}}, target(1.0), handlers=handlers).of(Operation)
    capped = play({**spec, "in_flight": {"max": 5}}, target(1.0), handlers=handlers).of(Operation)
    places = {round(o.intended, 3): o.place for o in free}

    assert len(capped) == 10
    assert [places[round(o.intended, 3)] for o in capped] == [o.place for o in capped]
