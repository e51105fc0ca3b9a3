"""Free slots are shared out: nobody starves, nobody is kept waiting without need."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.fair_shares import Candidate, admit

pytestmark = pytest.mark.unit

Waiting = list[tuple[Candidate, str]]


def jobs(task: str, count: int, running: int = 0, first: int = 0) -> Waiting:
    """`count` waiting jobs of a task, of which `running` run already, the first of them number `first`."""
    return [(Candidate(task, running + n, first + n), task) for n in range(count)]


def test_one_handler_alone_gets_what_its_limit_allows() -> None:
    """Shares of others do not slow down a deployment with slots to spare."""
    assert admit(jobs("a", 16), {}, {"a": 16}, 100) == ["a"] * 16
    assert Counter(admit(jobs("a", 16) + jobs("b", 16), {}, {"a": 16, "b": 16}, 100)) == {"a": 16, "b": 16}


def test_few_slots_are_all_used() -> None:
    """Nothing is kept for handlers that do not exist when slots are few, and one slot for each that does."""
    assert admit(jobs("a", 5), {}, {"a": 16}, 4) == ["a"] * 4
    assert admit(jobs("a", 5), {}, {"a": 16, "b": 16}, 4) == ["a"] * 3
    assert admit(jobs("a", 5), {}, {"a": 16, "b": 16}, 1) == ["a"]


def test_handlers_of_the_past_cost_half_the_slots_at_most() -> None:
    """A store that has known 300 handlers, of which one is left, still runs 50 of its jobs at once."""
    limits = {f"past{n}": 16 for n in range(300)} | {"a": 80}
    assert len(admit(jobs("a", 80), {}, limits, 100)) == 50


def test_the_least_busy_goes_first_then_the_oldest() -> None:
    """Whose task runs less comes first; among equals, who came first."""
    waiting = jobs("busy", 1, running=3) + jobs("idle", 1, first=7) + jobs("other", 1, first=3)
    assert admit(waiting, {"busy": 3}, {"busy": 4, "idle": 4, "other": 4}, 20) == ["other", "idle", "busy"]


def test_seven_silent_handlers_leave_room_for_others() -> None:
    """Seven handlers with 16 jobs each that never end do not fill 100 slots: shares of five stay free."""
    silent = {f"s{n}": 16 for n in range(7)}
    waiting = [job for name in silent for job in jobs(name, 16)]
    limits = {**silent, "good": 16}
    taken = Counter(admit(waiting, {}, limits, 100))
    assert sum(taken.values()) == 90
    assert min(taken.values()) >= 12

    # Nothing more for them, and the good one runs, beyond its own share even.
    more = [job for name in silent for job in jobs(name, 16 - taken[name], running=taken[name])]
    assert admit(more, taken, limits, 10) == []
    assert admit(more + jobs("good", 16), taken, limits, 10) == ["good"] * 5


@given(
    limits=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 20), min_size=2),
    slots=st.integers(16, 120),
    data=st.data(),
)
def test_an_idle_handler_finds_a_slot_whatever_came_before(
    limits: dict[str, int], slots: int, data: st.DataObject
) -> None:
    """However many jobs of others came before and never end, in whatever portions, the last one's job runs.

    No limit is ever exceeded.
    """
    *others, last = sorted(limits)
    running: Counter[str] = Counter()
    for name in data.draw(st.lists(st.sampled_from(others), max_size=20)):
        waiting = jobs(name, limits[name] - running[name], running=running[name])
        running.update(admit(waiting, running, limits, slots - running.total()))
    assert running.total() <= slots
    assert all(running[name] <= limits[name] for name in limits)

    assert admit(jobs(last, 1), running, limits, slots - running.total()) == [last]
