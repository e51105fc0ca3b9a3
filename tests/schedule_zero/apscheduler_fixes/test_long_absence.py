"""However much a schedule has missed, it is caught up at once, and fires as if every time had been computed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler import CoalescePolicy, Schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from schedule_zero.apscheduler_fixes.long_absence import MOST_MISSED, caught_up
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.unit
START = datetime(2026, 1, 1, tzinfo=UTC)


def schedule(spec: dict[str, Any], coalesce: str) -> Any:
    """A schedule that has not fired since its start."""
    starts = {"calendar": {"start_date": START.date().isoformat()}, "date": {}}
    spec = {**spec, **starts.get(spec["type"], {"start_time": START.isoformat()})}
    trigger = build_trigger(spec)
    made: Any = Schedule(id="s", task_id="t", trigger=trigger, coalesce=CoalescePolicy[coalesce], job_executor="async")
    made.next_fire_time = trigger.next()
    return made


def fires(due: Any, now: datetime) -> tuple[list[datetime], datetime | None, int]:
    """What APScheduler's loop makes of it: the times that it fires, the next one, and how many it computed."""

    kept = [due.next_fire_time]
    for count, time in enumerate(iter(due.trigger.next, "never"), 1):
        if time is None or time > now:
            return kept, time, count
        if due.coalesce is CoalescePolicy.all:
            kept.append(time)
        elif due.coalesce is CoalescePolicy.latest:
            kept[0] = time
    raise AssertionError


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(
        [
            {"type": "interval", "seconds": 7},
            {"type": "interval", "minutes": 53, "seconds": 0.1},
            {"type": "cron", "minute": "*/7", "timezone": "Europe/Berlin"},
            {"type": "cron", "hour": "3,4", "minute": 30, "second": 5},
            {"type": "cron", "day": "last", "hour": 1, "timezone": "America/New_York"},
            {"type": "calendar", "days": 3, "hour": 2, "timezone": "Europe/Berlin"},
            {"type": "calendar", "months": 1, "days": 1},
        ]
    ),
    st.sampled_from(["earliest", "latest", "all"]),
    st.integers(0, 5_000_000),
)
def test_what_is_caught_up_fires_as_without(spec: dict[str, Any], coalesce: str, late: int) -> None:
    """The same times, the same next one; of all missed times the latest thousand."""
    now = START + timedelta(seconds=late / 10)
    slow, quick = schedule(spec, coalesce), schedule(spec, coalesce)
    if slow.next_fire_time > now:
        return

    kept, following, _ = fires(slow, now)
    found, after, _ = fires(caught_up(quick, now), now)

    assert (found, after) == (kept[-MOST_MISSED:], following)


SKIPPED, NEXT = "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"


@pytest.mark.parametrize(
    ("coalesce", "due", "now", "fired", "following"),
    [
        ("latest", "2026-03-20T02:30:00+01:00", "2026-03-29T12:00:00+02:00", [SKIPPED], NEXT),
        ("latest", SKIPPED, "2026-03-29T12:00:00+02:00", [SKIPPED], NEXT),
        ("all", SKIPPED, "2026-03-30T12:00:00+02:00", [SKIPPED, NEXT], "2026-03-31T02:30:00+02:00"),
        ("earliest", SKIPPED, "2026-03-30T12:00:00+02:00", [SKIPPED], "2026-03-31T02:30:00+02:00"),
    ],
)
def test_a_time_that_was_made_up_for_is_caught_up_like_any_other(
    coalesce: str, due: str, now: str, fired: list[str], following: str
) -> None:
    """02:30 in Berlin on the day without it: it is neither left out, nor is the run of the day after."""
    spec = {"type": "cron", "hour": 2, "minute": 30, "timezone": "Europe/Berlin", "start_time": "2026-03-20T00:00:00Z"}
    trigger = build_trigger(spec)
    policy = CoalescePolicy[coalesce]
    made: Any = Schedule(id="s", task_id="t", trigger=trigger, coalesce=policy, job_executor="async")
    made.next_fire_time = next(time for time in iter(trigger.next, None) if time.isoformat() == due)
    left_out: list[int] = []

    ready = caught_up(made, datetime.fromisoformat(now), tell=lambda count, exact: left_out.append(count))
    kept, after, _ = fires(ready, datetime.fromisoformat(now))

    assert ([time.isoformat() for time in kept], left_out) == (fired, [])
    assert after == datetime.fromisoformat(following)


@pytest.mark.parametrize(
    ("coalesce", "fired"),
    [
        ("latest", ["2036-01-01T00:00:00+00:00"]),
        ("earliest", ["2026-01-01T00:00:00+00:00"]),
    ],
)
@pytest.mark.parametrize("spec", [{"type": "interval", "seconds": 1}, {"type": "cron", "second": "*"}])
def test_ten_years_of_seconds_are_caught_up_in_a_few_steps(
    spec: dict[str, Any], coalesce: str, fired: list[str]
) -> None:
    """APScheduler would compute 315 million times, on the event loop; two are left for it."""
    now = datetime(2036, 1, 1, tzinfo=UTC)

    kept, following, count = fires(caught_up(schedule(spec, coalesce), now), now)

    assert [time.isoformat() for time in kept] == fired
    assert (following, count) == (now + timedelta(seconds=1), 1)


@pytest.mark.parametrize(
    ("spec", "late", "told"),
    [
        ({"type": "interval", "seconds": 1}, timedelta(hours=1), [(2601, True)]),
        ({"type": "interval", "seconds": 1}, timedelta(days=3650), [(315_360_001 - 1000, True)]),
        ({"type": "cron", "second": "*/2"}, timedelta(hours=1), [(801, True)]),
        ({"type": "cron", "second": "*"}, timedelta(days=3650), [(1000, False)]),
        ({"type": "calendar", "days": 1}, timedelta(days=1001), [(2, True)]),
        ({"type": "interval", "seconds": 1}, timedelta(seconds=999), []),
        ({"type": "interval", "seconds": 1}, timedelta(seconds=1000), [(1, True)]),
    ],
)
def test_what_is_left_out_is_told(spec: dict[str, Any], late: timedelta, told: list[tuple[int, bool]]) -> None:
    """How many, exactly where that is quick, else at least; nothing where all are made up for."""
    found: list[tuple[int, bool]] = []
    caught_up(schedule(spec, "all"), START + late, tell=lambda count, exact: found.append((count, exact)))
    assert found == told
    found.clear()
    caught_up(schedule(spec, "latest"), START + late, tell=lambda count, exact: found.append((count, exact)))
    assert found == []


def test_a_short_absence_is_left_alone() -> None:
    """Nothing is gained where there is little to compute, and another kind of trigger cannot be told to skip."""
    due = schedule({"type": "interval", "seconds": 1}, "latest")
    other = schedule({"type": "date", "run_date": START.isoformat()}, "latest")

    assert caught_up(due, START + timedelta(seconds=30)).next_fire_time == START
    assert caught_up(other, START + timedelta(days=3000)).next_fire_time == START
