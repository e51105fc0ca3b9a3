"""A scenario's triggers as plain data, and those as triggers of APScheduler."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from harness.models import triggers, zones
from harness.targets.apscheduler import building, specs
from harness.targets.apscheduler.options import AddTriggeredArgs, TriggerArgs

pytestmark = pytest.mark.unit

NOW = zones.micros(datetime(2026, 5, 4, 12, 0, 0, 250_000, tzinfo=UTC))
EVERY_KIND: list[dict[str, Any]] = [
    {"every": "90s", "after": "5s"},
    {"after": "3s"},
    {"at": "2026-05-04T14:00:00+02:00"},
    {"cron": "*/7 12-13 * * *"},
    {"cron": {"second": "*/20"}, "until": "5min"},
    {"calendar": {"days": 2, "time": "06:30:00"}, "zone": "Asia/Kolkata"},
    {"all_of": [{"every": "2min"}, {"every": "3min"}], "threshold": "0s"},
    {"any_of": [{"every": "7min"}, {"cron": {"minute": 5}}, {"after": "1s"}]},
]


@pytest.mark.parametrize("given", EVERY_KIND, ids=str)
def test_scheduler_and_model_are_given_the_same_times(given: dict[str, Any]) -> None:
    """The first ten times of the trigger that the scheduler gets are those of the model."""
    data = specs.trigger(TriggerArgs.model_validate(given), NOW)
    modelled = [fire.at for fire in triggers.parse(data).fires(NOW + 40 * 86_400 * zones.SECOND)][:10]
    built = building.build(data)

    assert modelled
    assert [zones.micros(fire) for fire in (built.next() for _ in modelled) if fire is not None] == modelled


def test_times_begin_with_the_scheduler_or_after_a_while() -> None:
    """An interval fires at once, or so long after; cron begins with the next whole second."""
    every = specs.trigger(TriggerArgs.model_validate({"every": "1s", "after": "250ms"}), NOW)
    cron = specs.trigger(TriggerArgs.model_validate({"cron": {"second": "*"}}), NOW)

    assert every["start"] == NOW + 250_000
    assert cron["start"] == NOW + 750_000


@pytest.mark.parametrize(
    "given",
    [{}, {"every": "1s", "cron": "* * * * *"}, {"every": "0s"}, {"calendar": {"days": 1, "time": "6"}}, {"evry": "1s"}],
    ids=str,
)
def test_what_is_not_one_trigger_is_refused(given: dict[str, Any]) -> None:
    """None, two, or one that makes no sense."""
    with pytest.raises(ValidationError):
        AddTriggeredArgs.model_validate(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"at": "2026-05-04T14:00:00"}, "needs an offset"),
        ({"cron": "* * *"}, "five words"),
        ({"cron": {"hour": 3}, "zone": "Mars/Base"}, "no time zone"),
        ({"any_of": [{"every": "1s"}, {"cron": {"hour": 99}}]}, "outside 0-23"),
    ],
    ids=str,
)
def test_a_trigger_that_does_not_exist_is_refused(given: dict[str, Any], said: str) -> None:
    """With the reason, before the scheduler is asked."""
    with pytest.raises(ValueError, match=said):
        specs.trigger(TriggerArgs.model_validate(given), NOW)
