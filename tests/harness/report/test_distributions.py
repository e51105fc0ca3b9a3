"""Tests of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.history.history import History
from harness.history.records import Execution, Header, Operation, Status
from harness.report.distributions import Distribution, latencies, measured, steps
from harness.scenario.model import Scenario

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def test_a_percentile_needs_enough_values() -> None:
    """A p99 of 99 values would be their largest by another name: it is left out; of 100 it is given."""
    few, enough = (
        Distribution("x", [float(n) for n in range(99)]),
        Distribution("x", [float(n) for n in range(100)]),
    )

    assert [few.at(s) for s in (0.5, 0.9, 0.99, 0.999)] == [49.0, 89.0, None, None]
    assert enough.at(0.99) == 98.0


def test_nothing_has_no_mean() -> None:
    """An empty distribution answers None to everything."""
    assert (Distribution("x", []).mean, Distribution("x", []).at(0.5)) == (None, None)


def test_latencies_count_good_measured_answers_from_the_intended_start(load_run: Run) -> None:
    """Warm-up calls are left out where any call of the workload is measured."""
    found = {d.name: d for d in latencies(load_run.history)}

    assert {name: len(d.values) for name, d in found.items()} == {"cron.latency": 550, "steady.latency": 4950}
    assert all(list(d.values) == sorted(d.values) for d in found.values())


def test_latency_holds_the_time_before_a_call_was_sent() -> None:
    """A call meant for 1 s, sent at 3 s, answered at 4 s took three seconds: nothing is omitted."""
    call = Operation(
        at=4.0, id=1, workload="w", op="o", place="s", intended=1.0, start=3.0, end=4.0, status=Status.OK
    )

    assert [list(d.values) for d in latencies(History(Header(), [call]))] == [[3.0]]


def test_steps_leave_out_what_went_wrong(cycles_run: Run) -> None:
    """The stop that needed force is not among the durations of stops."""
    found = {d.name: d for d in steps(cycles_run.history)}

    assert {name: len(d.values) for name, d in found.items()} == {"start": 200, "stop": 199}
    assert found["stop"].values[-1] < 15.0


def test_completion_comes_from_the_metrics() -> None:
    """Beside the latency stands how long the job took, from the intended start to the end of its execution."""
    scenario = Scenario.model_validate(
        {
            "scenario": 1,
            "name": "x",
            "kind": "load",
            "target": {"driver": "d"},
            "workload": [{"id": "w", "op": "job.submit", "model": "once", "count": 1}],
        }
    )
    call = Operation(
        at=1.2,
        id=1,
        workload="w",
        op="job.submit",
        place="s",
        intended=1.0,
        start=1.1,
        end=1.2,
        status=Status.OK,
        ref="j",
    )
    run = Execution(at=3.0, handler="h1", request_id="j", method="m", start=1.5, end=3.0, outcome="ok")

    found = {d.name: list(d.values) for d in measured(History(Header(), [call, run]), scenario)}

    assert found["w.completion"] == pytest.approx([2.0])
    assert found["w.lateness"] == pytest.approx([0.3])
