"""A scenario written as YAML is read back equal."""



from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.scenario.dump import dump
from harness.scenario.loader import load_text
from harness.scenario.model import Scenario
from harness.scenario.values import FakerRef

DURATIONS = st.floats(min_value=1e-6, max_value=1e6, allow_subnormal=False)
NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9._\-]{0,11}\Z")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "1:30",
        "yes",
        "on",
        "~",
        "",
        "010",
        "0x1F",
        "1e3",
        ".inf",
        "2027-01-31",
        "<<",
        "=",
        "- a",
        "a: b",
        "#",
        "!x",
        "&a",
        "*a",
        "@",
        "\t",
        "%",
        "|",
    ]
)
SCALARS = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = TEXTS.filter(lambda key: key not in ("<<", "$faker"))
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
FAKERS = st.sampled_from([FakerRef("iban"), FakerRef("pyint", (1, 5)), FakerRef("name")])
ARGUMENTS = st.dictionaries(KEYS, ANYTHING | FAKERS, max_size=4)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Scenarios with every notation in them, and arbitrary arguments."""
    low, high = sorted((draw(DURATIONS), draw(DURATIONS)))
    data: dict[str, Any] = {
        "scenario": 1,
        "name": draw(NAMES),
        "about": draw(TEXTS),
        "kind": "chaos",
        "worlds": draw(st.sampled_from([["real"], ["sim", "real"]])),
        "seed": draw(st.none() | st.integers(0, 2**62)),
        "limits": {"run": draw(DURATIONS), "settle": draw(DURATIONS)},
        "target": {"driver": draw(TEXTS), "governor": {"restart": "never"}, "extra": draw(ANYTHING)},
        "topology": {
            "scheduler": draw(st.dictionaries(KEYS, ANYTHING, max_size=3)),
            "handlers": [{"count": draw(st.integers(1, 5)), "service": {"p50": low, "p99": high}}],
        },
        "steady": [{"within": high, "expect": {draw(NAMES): draw(st.integers(0, 9))}}],
        "workload": [
            {
                "id": "w",
                "op": draw(TEXTS),
                "with": draw(ARGUMENTS),
                "rate": f"{draw(st.integers(1, 900))}/min",
                "for": high,
            },
            {
                "id": "c",
                "op": "o",
                "model": "closed",
                "count": 3,
                "think": f"{round(draw(DURATIONS), 3):.3f}ms",
            },
        ],
        "faults": [
            {
                "id": "f",
                "kind": draw(TEXTS),
                "every": f"{low:.9f}s..{high + 1:.9f}s",
                "for": low,
                "args": draw(ANYTHING),
            },
            {
                "id": "g",
                "kind": "k",
                "when": {"event": "e", "odds": draw(st.floats(0, 1))},
                "where": {"handlers": 2},
            },
        ],
        "checks": {"always": [draw(NAMES), {draw(NAMES): draw(ANYTHING)}], "sometimes": [draw(NAMES)]},
        "thresholds": {"w.latency": ["p99 < 1s", {"expr": "max < 5s", "min_samples": 10}]},
        "known": {"issue": draw(TEXTS), "until": draw(st.sampled_from(["2027-01-31", "4.0.0b1", "1:30"]))},
    }
    return Scenario.model_validate({key: value for key, value in data.items() if value is not None})


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios(), st.booleans())
def test_read_back_equal(scenario: Scenario, full: bool) -> None:
    """Whatever a scenario holds, its text loads again as the same scenario."""
    (loaded,) = load_text(dump(scenario, full=full))
    assert loaded.scenario == scenario


@pytest.mark.parametrize("kind", ["chaos", "cycles", "regression"])
@pytest.mark.parametrize("full", [False, True])
def test_each_kind(texts: dict[str, str], kind: str, full: bool) -> None:
    """A file of each kind survives, with its defaults written out and without."""
    scenario = load_text(texts[kind])[0].scenario
    assert load_text(dump(scenario, full=full))[0].scenario == scenario


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_json_survives_too(scenario: Scenario) -> None:
    """The JSON form of a scenario is read back equal, with its references to Faker in the arguments of operations."""
    assert Scenario.model_validate_json(scenario.model_dump_json(by_alias=True)) == scenario


def test_short_forms(texts: dict[str, str]) -> None:
    """What a person would write short is written short."""
    text = dump(load_text(texts["cycles"])[0].scenario)
    assert "  - start\n" in text
    assert "  start.ready: [p99 < 3s]\n" in text
    assert "gap: 0s..200ms" in text
    assert "limits" not in text
    assert "limits: {setup: 30s, run: 5min, settle: 30s, teardown: 30s}" in dump(
        load_text(texts["cycles"])[0].scenario, full=True
    )


def test_tags_are_written(texts: dict[str, str]) -> None:
    """A reference to Faker is a tag again."""
    text = (
        texts["chaos"]
        .replace("!faker iban", "!faker {provider: pyint, args: [1, 5]}")
        .replace("method: work", "method: !faker name")
    )
    written = dump(load_text(text)[0].scenario)
    assert "method: !faker name" in written
    assert "account: !faker {provider: pyint, args: [1, 5]}" in written
