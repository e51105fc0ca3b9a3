"""Arrivals follow the integral of the rate exactly."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario.model import Stage
from harness.workload import arrivals

pytestmark = pytest.mark.unit


def stage(length: str, rate: str, measure: bool = False) -> Stage:
    """A stage in the notation of a scenario file."""
    return Stage.model_validate({"for": length, "rate": rate, "measure": measure})


_RATES = st.floats(min_value=0.0, max_value=500.0, allow_nan=False)


@st.composite
def _stages(draw: Any) -> list[Stage]:
    made = []
    for _ in range(draw(st.integers(1, 4))):
        begin, end = draw(_RATES), draw(_RATES)
        if max(begin, end) < 0.01:
            end = 1.0
        length = draw(st.floats(min_value=0.01, max_value=5.0))
        made.append(stage(f"{length:.4f}s", f"{begin:.4f}/s -> {end:.4f}/s"))
    return made


def test_constant_rate_gives_even_gaps_from_the_very_start() -> None:
    """5/s for 1 s are five calls, at 0, 0.2, ... 0.8 s, and none at the end."""
    times = [arrival.at for arrival in arrivals.constant([stage("1s", "5/s")])]

    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])


def test_a_ramp_puts_arrivals_where_the_integral_says() -> None:
    """0/s -> 10/s over 10 s has the integral t^2/2, so arrival k comes at sqrt(2k)."""
    times = [arrival.at for arrival in arrivals.constant([stage("10s", "0/s -> 10/s")])]

    assert len(times) == 50
    assert times == pytest.approx([math.sqrt(2 * k) for k in range(50)])


def test_a_ramp_down_mirrors_the_ramp_up() -> None:
    """10/s -> 0/s over 10 s: three quarters of the 50 calls come in the first half."""
    times = [arrival.at for arrival in arrivals.constant([stage("10s", "10/s -> 0/s")])]

    assert len(times) == 50
    assert sum(t < 5.0 for t in times) == 38  # ceil(37.5): arrivals 0..37


def test_stages_join_without_gap_or_surplus() -> None:
    """Warm-up and measured stage are one stream: 2,400 + 9,000 + 12,000 calls for the design's own example."""
    stages = [stage("2m", "20/s"), stage("5m", "20/s -> 40/s", True), stage("5m", "40/s", True)]
    made = list(arrivals.constant(stages))

    assert len(made) == 2400 + 9000 + 12000
    assert sum(a.measured for a in made) == 9000 + 12000
    assert made[2399].at == pytest.approx(119.95)
    assert made[2400] == arrivals.Arrival(pytest.approx(120.0), True)  # type: ignore[arg-type]


@given(_stages())
@settings(deadline=None)
def test_count_is_the_integral_and_times_only_grow(stages: list[Stage]) -> None:
    """For any stages: as many arrivals as the integral has whole steps, in order, inside the stages."""
    times = [arrival.at for arrival in arrivals.constant(stages)]

    assert abs(len(times) - arrivals.expected(stages)) <= 1
    assert all(a <= b for a, b in itertools.pairwise(times))
    assert times[0] >= 0.0
    assert times[-1] <= sum(s.length for s in stages) + 1e-9


@given(_stages(), st.integers(0, 2**32))
@settings(deadline=None)
def test_poisson_times_grow_and_stay_inside(stages: list[Stage], seed: int) -> None:
    """For any stages and seed a Poisson stream is ordered and inside, and the seed alone decides it."""
    times = [arrival.at for arrival in arrivals.poisson(stages, random.Random(seed))]

    assert all(a <= b for a, b in itertools.pairwise(times))
    assert all(0.0 <= t <= sum(s.length for s in stages) + 1e-9 for t in times)
    assert times == [arrival.at for arrival in arrivals.poisson(stages, random.Random(seed))]


def test_poisson_has_the_rate_and_the_spread_of_a_poisson_process() -> None:
    """Over 200 s at 50/s: 10,000 calls within 4 sigma, and gaps whose deviation equals their mean."""
    times = [a.at for a in arrivals.poisson([stage("200s", "50/s")], random.Random(3))]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps))

    assert abs(len(times) - 10_000) < 400
    assert deviation / mean == pytest.approx(1.0, abs=0.05)


def test_a_poisson_ramp_follows_the_ramp() -> None:
    """0/s -> 100/s over 100 s: a quarter of the calls come in the first half, as the integral has it."""
    times = [a.at for a in arrivals.poisson([stage("100s", "0/s -> 100/s")], random.Random(11))]

    assert sum(t < 50 for t in times) / len(times) == pytest.approx(0.25, abs=0.03)
