"""Growth from cycle to cycle."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.checks.growth import growth
from harness.checks.verdict import Outcome

CHECK = {"growth": {"of": ["rss"], "per_cycle": "< 0.1%"}}


def cycles(write: Any, values: list[float], name: str = "rss", place: str = "") -> list[Any]:
    """One start and one sample in each cycle."""
    return [
        record
        for cycle, value in enumerate(values, start=1)
        for record in (write.step(cycle, "start"), write.sample(cycle * 10.0 + 5, name, value, place))
    ]


def test_level_samples_pass_despite_noise_and_outliers(result: Any, write: Any) -> None:
    """One per cent of noise and a wild value now and then are no growth."""
    noise = random.Random(1)
    values = [1e8 * (1 + noise.uniform(-0.01, 0.01)) for _ in range(200)]
    values[20] = values[190] = 5e8

    found = result(CHECK, cycles(write, values), section="finally")

    assert (found.outcome, found.samples) == (Outcome.PASS, 200)


def test_steady_growth_fails_with_its_figures(result: Any, write: Any) -> None:
    """The evidence gives the slope, its share, and the values at both ends."""
    found = result(CHECK, cycles(write, [1000.0 + 2 * n for n in range(21)], place="h1"), section="finally")

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "rss of h1 grows by 2 (0.196%) per cycle over 21 cycles: 1000 in cycle 1, 1040 in cycle 21; "
        "allowed value < 0.1%"
    )


def test_a_leak_that_begins_late_is_seen(result: Any, write: Any) -> None:
    """The last fifth is compared with the first: Theil-Sen alone would call this level."""
    values = [100.0] * 160 + [100.0 + 2 * n for n in range(40)]

    assert result(CHECK, cycles(write, values), section="finally").outcome is Outcome.FAIL


def test_an_integer_that_creeps_is_seen(result: Any, write: Any) -> None:
    """A descriptor lost every tenth cycle."""
    check = {"growth": {"of": ["fds"], "per_cycle": "value < 0.1%"}}
    values = [20.0 + n // 10 for n in range(100)]

    assert result(check, cycles(write, values, "fds"), section="finally").outcome is Outcome.FAIL


@pytest.mark.parametrize("values", [[0.0] * 20, [0.0] * 11 + [3.0] + [0.0] * 8])
def test_a_level_of_zero_does_not_grow(result: Any, write: Any, values: list[float]) -> None:
    """No temporary files at all do not grow, nor do some that were there in one cycle only."""
    check = {"growth": {"of": ["tmp-files"], "per_cycle": "value < 0.1%"}}

    assert result(check, cycles(write, values, "tmp-files"), section="finally").outcome is Outcome.PASS


def test_growth_from_nothing_fails(result: Any, write: Any) -> None:
    """Files that pile up from none, one each cycle."""
    check = {"growth": {"of": ["tmp-files"], "per_cycle": "value < 0.1%"}}
    found = result(check, cycles(write, [float(n) for n in range(20)], "tmp-files"), section="finally")

    assert found.outcome is Outcome.FAIL


def test_an_absolute_bound_is_in_the_unit_of_the_samples(result: Any, write: Any) -> None:
    """``<= 0.5`` descriptors per cycle."""
    values = [10.0 + n for n in range(20)]
    check = {"growth": {"of": ["fds"], "per_cycle": "value <= 0.5"}}
    looser = {"growth": {"of": ["fds"], "per_cycle": "value <= 1"}}

    assert result(check, cycles(write, values, "fds"), section="finally").outcome is Outcome.FAIL
    assert result(looser, cycles(write, values, "fds"), section="finally").outcome is Outcome.PASS


def test_shrinking_is_no_growth(result: Any, write: Any) -> None:
    """A negative slope satisfies an upper bound."""
    assert (
        result(CHECK, cycles(write, [100.0 - n for n in range(60)]), section="finally").outcome is Outcome.PASS
    )


def test_too_few_cycles_are_unknown(result: Any, write: Any) -> None:
    """Nine cycles show no growth, nor does a name that nobody sampled; growth elsewhere still fails."""
    both = {"growth": {"of": ["rss", "fds"], "per_cycle": "value < 0.1%"}}
    growing = cycles(write, [100.0 + n for n in range(20)])

    assert (
        result(CHECK, cycles(write, [1.0 * n for n in range(9)]), section="finally").outcome is Outcome.UNKNOWN
    )
    found = result(both, cycles(write, [100.0] * 20), section="finally")
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "fds was sampled in 0 of 20 cycles; growth shows from 10 on"
    assert result(both, growing, section="finally").outcome is Outcome.FAIL


def test_several_samples_of_a_cycle_count_as_their_median(result: Any, write: Any) -> None:
    """A peak within a cycle is not growth."""
    peaks = [write.sample(cycle * 10.0 + 6, "rss", 100.0 + 50 * cycle) for cycle in range(1, 21)]
    levels = [write.sample(cycle * 10.0 + 7, "rss", 100.0) for cycle in range(1, 21)]

    found = result(CHECK, cycles(write, [100.0] * 20), peaks, levels, section="finally")

    assert found.outcome is Outcome.PASS


def test_the_fit_of_many_cycles_is_that_of_evenly_spread_ones() -> None:
    """Two thousand cycles are thinned out, and a straight line keeps its slope."""
    assert growth([(cycle, 5.0 + 0.25 * cycle) for cycle in range(2000)]) == 0.25
