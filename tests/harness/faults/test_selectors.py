"""What ``where`` means, and what is said when it means nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.faults.selectors import NothingSelected, check_where, select
from harness.targets.base import Place, PlaceKind

HANDLERS = [Place(PlaceKind.HANDLER, f"h{n}", "handlers", pid=100 + n) for n in (10, 2, 1, 5, 3)]
PLACES = [
    *HANDLERS,
    Place(PlaceKind.PROCESS, "scheduler", "scheduler"),
    Place(PlaceKind.SOCKET, "scheduler.req", "sockets"),
    Place(PlaceKind.STORE, "store", "stores"),
]


def names(where: Any, seed: int = 1, **options: Any) -> Any:
    """The names selected from the places above."""
    return [place.name for place in select(where, PLACES, random.Random(seed), **options)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("h1", ["h1"]),
        ("h1*", ["h1", "h10"]),
        ("scheduler.req", ["scheduler.req"]),
        ({"handlers": "all"}, ["h1", "h2", "h3", "h5", "h10"]),
        ({"handlers": "h[12]"}, ["h1", "h2"]),
        ({"stores": "one"}, ["store"]),
    ],
)
def test_names_and_globs(where: Any, expected: Any) -> None:
    """Names and globs select without drawing, in the order people count."""
    assert names(where) == expected


@pytest.mark.parametrize(
    ("wanted", "count"),
    [("one", 1), (2, 2), ("2", 2), ("30%", 2), ("10%", 1), ("100%", 5), ("minority", 2), ("all", 5)],
)
def test_counts_of_a_group(wanted: Any, count: Any) -> None:
    """Numbers, shares (rounded, at least one) and the largest minority, out of five."""
    chosen = names({"handlers": wanted})
    assert len(chosen) == count
    assert set(chosen) <= {"h1", "h2", "h3", "h5", "h10"}


def test_a_kind_sees_only_the_places_it_accepts() -> None:
    """``one`` over all places means one that the kind can act on; no ``where`` means every such place."""
    assert names("one", accepts=(PlaceKind.STORE,)) == ["store"]
    assert names("", accepts=(PlaceKind.PROCESS,)) == ["scheduler"]


def test_a_name_in_two_kinds_is_one_place() -> None:
    """A handler that is a process too is taken once, in the kind that is accepted first."""
    both = [Place(PlaceKind.PROCESS, "h1"), Place(PlaceKind.HANDLER, "h1")]
    found = select("all", both, random.Random(1), accepts=(PlaceKind.HANDLER, PlaceKind.PROCESS))
    assert [place.kind for place in found] == [PlaceKind.HANDLER]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("h9", "'h9' selects nothing; there is h1 (handlers), h2 (handlers)"),
        ({"gates": "one"}, "there is no group 'gates' here; there is h1 (handlers)"),
        ({"handlers": 6}, "{handlers: 6} asks for 6 of 5 places"),
        ({"handlers": 0}, "{handlers: 0} asks for 0 of 5 places"),
    ],
)
def test_what_fits_nothing_says_what_there_is(where: Any, message: str) -> None:
    """Nothing is chosen silently: the error lists what could have been."""
    with pytest.raises(NothingSelected) as nothing:
        names(where)
    assert message in str(nothing.value)


def test_a_minority_of_two_is_nobody() -> None:
    """Fewer than half of two is none: the fault is skipped rather than taking half."""
    with pytest.raises(NothingSelected, match="asks for 0 of 2"):
        select({"handlers": "minority"}, HANDLERS[:2], random.Random(1))


def test_an_empty_target_says_so() -> None:
    """With no places at all the message does not pretend to list any."""
    with pytest.raises(NothingSelected, match="nothing of the kinds that this fault accepts"):
        select("one", [], random.Random(1))


@pytest.mark.parametrize("where", ["a -> b", "h1 <-> h2", "h1 h2", "0%", "101%", {}, {"a": 1, "b": 2}])
def test_what_cannot_mean_anything_is_refused_before_the_run(where: Any) -> None:
    """Links, lists and impossible shares are mistakes of the scenario, whatever the target holds."""
    with pytest.raises(UsageError, match="where:"):
        check_where(where)


@given(st.integers(0, 2**32), st.permutations(PLACES), st.sampled_from(["one", "2", "40%", "minority", "all"]))
def test_the_choice_depends_on_the_seed_alone(seed: int, shuffled: Any, wanted: Any) -> None:
    """However the target orders its places, the same stream chooses the same ones."""
    where = {"handlers": wanted}
    first = select(where, PLACES, random.Random(seed))
    assert select(where, shuffled, random.Random(seed)) == first
    assert len(set(first)) == len(first)
