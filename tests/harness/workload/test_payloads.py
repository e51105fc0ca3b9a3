"""Arguments are drawn from the seed alone, workload by workload."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import uuid
from typing import Any

import pytest

from harness.errors import UsageError
from harness.scenario.values import FakerRef
from harness.workload.payloads import Payloads, plain

pytestmark = pytest.mark.unit

ARGS = {
    "handler": "h*",
    "method": "work",
    "params": {"account": FakerRef("iban"), "tags": [FakerRef("word"), "x"]},
}


def test_one_seed_gives_one_sequence(streams: Any) -> None:
    """Two runs of one seed make the same hundred calls; another seed makes others."""
    first, second, other = (Payloads(type(streams)(seed), ("h1", "h2")).source("w", ARGS) for seed in (1, 1, 2))
    calls = [first() for _ in range(100)]

    assert calls == [second() for _ in range(100)]
    assert calls != [other() for _ in range(100)]
    assert len({call["params"]["account"] for call in calls}) == 100


def test_workloads_do_not_share_a_stream(streams: Any) -> None:
    """What another workload draws in between changes nothing."""
    alone = Payloads(streams, ("h1", "h2")).source("a", ARGS)
    payloads = Payloads(streams, ("h1", "h2"))
    a, b = payloads.source("a", ARGS), payloads.source("b", ARGS)
    mixed = []
    for _ in range(20):
        mixed.append(a())
        b()

    assert mixed == [alone() for _ in range(20)]


def test_glob_spreads_over_the_handlers_it_matches(streams: Any) -> None:
    """``h*`` reaches h1, h2 and h3 about equally, and never the one it does not match."""
    draw = Payloads(streams, ("h1", "h2", "other", "h3")).source("w", {"handler": "h*"})
    counts = collections.Counter(draw()["handler"] for _ in range(3000))

    assert sorted(counts) == ["h1", "h2", "h3"]
    assert min(counts.values()) > 880


def test_constant_arguments_pass_unchanged(streams: Any) -> None:
    """Without a reference every call is equal to what the file says, and a plain handler name is no glob."""
    args = {"handler": "h1", "params": {"n": [1, {"m": None}]}}

    assert Payloads(streams, ()).draw("w", args) == args


def test_structure_around_a_reference_is_kept(streams: Any) -> None:
    """Lists stay lists and constants stay beside what is drawn."""
    call = Payloads(streams, ("h1",)).draw("w", ARGS)

    assert sorted(call) == ["handler", "method", "params"]
    assert call["params"]["tags"][1] == "x"
    assert isinstance(call["params"]["tags"][0], str)
    assert call["handler"] == "h1"


def test_unknown_provider_is_refused_before_the_run(streams: Any) -> None:
    """A slip in a provider's name is answered with the nearest one."""
    with pytest.raises(UsageError, match=r"no provider 'ibann'; did you mean 'iban'\?"):
        Payloads(streams).source("w", {"account": FakerRef("ibann")})


def test_private_names_of_faker_are_no_providers(streams: Any) -> None:
    """A file cannot reach into Faker's insides."""
    with pytest.raises(UsageError, match="no provider"):
        Payloads(streams).source("w", {"x": FakerRef("__class__")})


def test_wrong_arguments_of_a_provider_are_refused_before_the_run(streams: Any) -> None:
    """The provider is tried once, when the workload is prepared."""
    with pytest.raises(UsageError, match="random_int does not take"):
        Payloads(streams).source("w", {"x": FakerRef("random_int", (5, 1))})


def test_glob_without_a_match_is_refused_before_the_run(streams: Any) -> None:
    """A glob over nothing would silently test nothing."""
    with pytest.raises(UsageError, match=r"`handler: x\*` matches no handler of the topology; there is h1, h2"):
        Payloads(streams, ("h1", "h2")).source("w", {"handler": "x*"})


class _Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC), "2024-05-01T12:00:00+00:00"),
        (datetime.timedelta(minutes=2), 120.0),
        (decimal.Decimal("0.1"), 0.1),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, b"\x00\xff"), [1, "00ff"]),
        (_Colour.RED, "red"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_what_faker_makes_becomes_json(value: Any, expected: Any) -> None:
    """Values that JSON does not know have one fixed form, so that histories are equal byte for byte."""
    assert plain(value) == expected
