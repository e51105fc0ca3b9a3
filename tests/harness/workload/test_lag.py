"""The generator watches its own lag."""

from __future__ import annotations

import pytest

from harness.history.recorder import Recorder
from harness.history.records import Event, Sample
from harness.workload.lag import LagMeter

pytestmark = pytest.mark.unit


def test_percentiles_to_a_tenth_of_a_millisecond() -> None:
    """Of 1 ms, 2 ms ... 100 ms the 99th percentile is 99 ms, never rounded down."""
    meter = LagMeter(Recorder(), "w")
    for n in range(1, 101):
        meter.note(n / 1000, now=0.0)

    assert 0.099 <= meter.percentile(0.99) <= 0.0991
    assert 0.050 <= meter.percentile(0.5) <= 0.0501
    assert meter.percentile(1.0) == 0.1


@pytest.mark.parametrize(
    ("on_time", "late", "behind"),
    [
        (99, 1, False),
        (197, 3, True),
        (10, 1, False),
        (10, 2, True),
        (990, 10, False),
        (989, 11, True),
        (0, 0, False),
    ],
)
def test_behind_means_more_than_one_in_a_hundred(on_time: int, late: int, behind: bool) -> None:
    """One straggler is forgiven however few calls there are; two of eleven are not."""
    recorder = Recorder()
    meter = LagMeter(recorder, "w")
    for _ in range(on_time):
        meter.note(0.001, now=0.0)
    for _ in range(late):
        meter.note(0.051, now=0.0)
    meter.finish()

    assert [e.name for e in recorder.close().of(Event)] == (["generator-behind"] if behind else [])


def test_each_sample_holds_the_worst_since_the_last() -> None:
    """A peak between two samples is not lost."""
    recorder = Recorder()
    meter = LagMeter(recorder, "w")
    for now, lag in ((0.0, 0.001), (0.5, 0.04), (0.9, 0.002), (1.1, 0.003), (1.5, 0.004)):
        meter.note(lag, now)
    meter.finish()

    assert [s.value for s in recorder.close().of(Sample)] == [0.001, 0.04, 0.004]
