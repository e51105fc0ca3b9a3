"""Ways to have one check judge a history, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from harness.checks.judge import judge
from harness.checks.verdict import CheckResult
from harness.history.history import History
from harness.history.records import AnyRecord, Header
from harness.scenario.model import Scenario


def make_scenario(**sections: Any) -> Scenario:
    """A scenario with the workloads ``steady`` (jobs) and ``cron`` (a schedule every 5 s)."""
    values: dict[str, Any] = {
        "scenario": 1,
        "name": "demo",
        "kind": "load",
        "target": {"driver": "any"},
        "workload": [
            {"id": "steady", "op": "job.submit", "rate": "10/s", "for": "60s"},
            {"id": "cron", "op": "schedule.add", "model": "once", "count": 1, "with": {"every": "5s"}},
        ],
    }
    return Scenario.model_validate({**values, **sections})


@pytest.fixture
def scenario() -> Callable[..., Scenario]:
    """Make a scenario with the given sections."""
    return make_scenario


def flat(items: Iterable[Any]) -> list[AnyRecord]:
    """Records and lists of records in one list."""
    return [record for item in items for record in (item if isinstance(item, list) else [item])]


@pytest.fixture
def result(write: Any) -> Callable[..., CheckResult]:
    """Judge one check, given as in a scenario file under `section`, on the records (and the phases)."""

    def judged(check: Any, *records: Any, section: str = "always", **more: Any) -> CheckResult:
        demands = {"then": [check]} if section == "then" else {"checks": {section: [check]}}
        history = History(Header(), [*write.phases(), *flat(records)])
        found, *_ = judge(make_scenario(**demands, **more), history)  # what nobody demanded is judged after it
        return found

    return judged


@pytest.fixture
def threshold(write: Any) -> Callable[..., CheckResult]:
    """Judge one threshold of one metric on a history of the records."""

    def judged(metric: str, bound: Any, *records: Any) -> CheckResult:
        history = History(Header(), [*write.phases(), *flat(records)])
        return judge(make_scenario(thresholds={metric: [bound]}), history)[-1]  # thresholds come last

    return judged
