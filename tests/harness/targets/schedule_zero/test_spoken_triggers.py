"""Triggers of scenarios reach the scheduler as what they are."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from harness.models import triggers as model
from harness.models import zones
from harness.targets.schedule_zero.triggers import spoken
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.unit
START = zones.micros(datetime(2026, 3, 28, 12, tzinfo=UTC))
DAY = 86_400 * zones.SECOND


@pytest.mark.parametrize(
    "trigger",
    [
        {"kind": "date", "at": START + 1},
        {"kind": "interval", "every": 1_500_000, "start": START, "end": START + 6_000_000},
        {"kind": "cron", "fields": {"hour": "*/6", "minute": 5}, "zone": "Asia/Kolkata", "start": START, "end": None},
        {"kind": "calendar", "days": 2, "time": [1, 2, 3], "zone": "America/New_York", "start_date": "2026-03-29"},
    ],
)
def test_the_scheduler_fires_what_the_model_has(trigger: dict[str, Any]) -> None:
    """The first five times agree, to the microsecond."""
    expected = [fire.at for fire in islice(model.parse(trigger).fires(START + 30 * DAY), 5)]

    fired = [zones.micros(time) for time in islice(iter(build_trigger(spoken(trigger)).next, None), len(expected))]

    assert len(expected) > 0
    assert fired == expected
