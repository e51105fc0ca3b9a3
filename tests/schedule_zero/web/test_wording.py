"""How triggers, spans and pictures are put for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schedule_zero.execution_log import ExecutionRecord, Outcome
from schedule_zero.triggers import build_trigger, describe_trigger
from schedule_zero.web.login import own_path
from schedule_zero.web.page import link
from schedule_zero.web.timeline import strip, timeline
from schedule_zero.web.wording import count, moment, name, shortened, span, trigger

pytestmark = pytest.mark.unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BERLIN = {"timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "interval", "seconds": 1}, "every second"),
        ({"type": "interval", "hours": 1, "minutes": 30}, "every 1 hour 30 minutes"),
        ({"type": "interval", "days": 2, "end_time": "2030-01-01"}, "every 2 days, until 2030-01-01 00:00"),
        ({"type": "cron", "crontab": "5 4 * * *", **BERLIN}, "daily at 04:05, Europe/Berlin"),
        ({"type": "cron", "crontab": "15 * * * *"}, "hourly at minute 15"),
        ({"type": "cron", "crontab": "0 8 * * mon-fri"}, "cron 0 8 * * mon-fri"),
        ({"type": "cron", "crontab": "0 8 1 */2 *"}, "cron 0 8 1 */2 *"),
        ({"type": "cron", "second": "*/10"}, "cron *:*:*/10"),
        ({"type": "cron", "week": 5, "hour": 3}, "cron week=5 3:0:0"),
        ({"type": "calendar", "months": 1, "hour": 4, "start_date": "2030-01-01"}, "every month at 04:00"),
        (
            {"type": "calendar", "weeks": 2, "hour": 4, "second": 9, "end_date": "2031-01-01", **BERLIN},
            "every 2 weeks at 04:00:09, Europe/Berlin, until 2031-01-01",
        ),
        ({"type": "date", "run_date": "2030-01-01T00:00:00"}, "once"),
    ],
)
def test_triggers_in_words(spec: dict[str, Any], words: str) -> None:
    """What a trigger is, from how the store's own triggers describe themselves."""
    assert trigger(describe_trigger(build_trigger(spec))) == words


@pytest.mark.parametrize(
    "text", ["", "AndTrigger([a, b])", "Interval(", "Cron()", "x" * 300, "Calendar(months=f())", "1"]
)
def test_a_trigger_that_is_not_understood_is_shown_as_it_is(text: str) -> None:
    """No guess, and nothing is run."""
    assert trigger(text) == text


def test_times_spans_and_names() -> None:
    """The ISO text is the title; names are escaped and kept apart; small numbers have small units."""
    assert moment(NOON + timedelta(milliseconds=5)) == (
        '<time datetime="2026-05-01T12:00:00.005Z" title="2026-05-01T12:00:00.005Z">2026-05-01 12:00:00 UTC</time>'
    )
    assert [span(s) for s in (None, 0, 0.0004, 0.25, 59.94, 61, 7200, 90061)] == [
        *("–", "0 ms", "0 ms", "250 ms", "59.9 s", "1 min 1 s", "2 h", "1 d 1 h"),
    ]
    assert name('<b a="1">&') == "<bdi>&lt;b a=&quot;1&quot;&gt;&amp;</bdi>"
    assert (count(1, "job"), count(0, "job"), count(1234, "job")) == ("1 job", "0 jobs", "1,234 jobs")
    assert (shortened("abc", 3), shortened("abcd", 3)) == ("abc", "ab…")


def test_links_carry_any_id() -> None:
    """Whatever an id holds, it is one value of the query."""
    assert link("/schedule", id="../a/b?c&d=e#f") == "/schedule?id=..%2Fa%2Fb%3Fc%26d%3De%23f"
    assert link("/x", a=None, b="") == "/x"


@pytest.mark.parametrize(
    "text", ["//evil", "/\\evil", "https://evil", "javascript:alert(1)", "", "/\t/evil", "/login?next=/"]
)
def test_only_paths_of_this_server_are_gone_on_to(text: str) -> None:
    """Everything else leads to the dashboard."""
    assert own_path(text) == "/"


def executed(number: int, handler: str = "h", seconds: float = 1.0, **more: Any) -> ExecutionRecord:
    """An execution that ended `number` seconds after noon."""
    ended = NOON + timedelta(seconds=number)
    fields: dict[str, Any] = {"started_at": ended - timedelta(seconds=seconds), "outcome": Outcome.SUCCESS, **more}
    return ExecutionRecord(job_id=str(number), handler_id=handler, method="m", ended_at=ended, **fields)


def test_the_strip_has_the_latest_at_the_right() -> None:
    """One bar an execution, highest for the longest, never out of the picture; nothing for nothing."""
    bars = strip([executed(3, seconds=4.0), executed(2, outcome=Outcome.MISSED, started_at=None), executed(1)])
    assert [(bar.job_id, bar.kind, bar.height) for bar in bars] == [
        ("1", "good", 62.5),
        ("2", "warn", 25.0),
        ("3", "good", 100.0),
    ]
    assert [bar.x for bar in bars] == [90.0, 93.333, 96.667]
    assert len(strip([executed(n) for n in range(60)])) == 60
    assert strip([]) == []


def test_the_timeline_has_a_lane_for_each_handler() -> None:
    """Bars stand where they ran, and can be seen however short; many handlers are cut off, and it says so."""
    drawn = timeline([executed(10, "b"), executed(6, "a", seconds=5.0)])
    assert drawn is not None
    assert (drawn.begin, drawn.seconds) == (NOON + timedelta(seconds=1), 9.0)
    places = {lane.handler_id: [(bar.x, bar.width) for bar in lane.bars] for lane in drawn.lanes}
    assert places == {"a": [(0.0, 55.556)], "b": [(88.889, 11.111)]}
    moment_alone = timeline([executed(1, seconds=0.0)])
    assert moment_alone is not None
    assert [(bar.x, bar.width) for bar in moment_alone.lanes[0].bars] == [(0.0, 0.4)]
    short = timeline([executed(3600, seconds=0.002), executed(1, seconds=0.002)])
    assert short is not None
    assert [(bar.x, bar.width) for bar in short.lanes[0].bars] == [(0.0, 0.4), (99.6, 0.4)]
    crowd = timeline([executed(n, f"h{n:02d}") for n in range(20)])
    assert crowd is not None
    assert (len(crowd.lanes), crowd.hidden) == (12, 8)
    assert timeline([]) is None
