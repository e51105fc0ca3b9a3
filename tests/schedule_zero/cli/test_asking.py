"""What each command asks the API, and how it shows the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

pytestmark = pytest.mark.unit

Run = Callable[..., Result]
_RUN = {"handler_id": "h", "job_method": "m", "job_params": {}}
_SECONDS = {"type": "interval", "seconds": 5}


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("handlers list", ("GET", "/api/handlers", None)),
        ("schedules show a/b", ("GET", "/api/schedules/a%2Fb", None)),
        ("schedules remove a/b", ("DELETE", "/api/schedules/a%2Fb", None)),
        ("schedules pause s", ("PATCH", "/api/schedules/s", {"paused": True})),
        ("schedules resume s", ("PATCH", "/api/schedules/s", {"paused": False})),
        ("schedules reschedule s --every 5s", ("PATCH", "/api/schedules/s", {"trigger": _SECONDS})),
        ("jobs show j", ("GET", "/api/jobs/j", None)),
        ("jobs remove a/b", ("DELETE", "/api/jobs/a%2Fb", None)),
        ('jobs run h m --params {"a":1}', ("POST", "/api/run_now", {**_RUN, "job_params": {"a": 1}})),
        (
            "jobs run h m --timeout 2 --deadline 9 --at-most-once --key k",
            ("POST", "/api/run_now",
             {**_RUN, "timeout": 2.0, "deadline": 9.0, "at_most_once": True, "idempotency_key": "k"}),
        ),
        ('schedules add h m --id s --trigger {"type":"interval","seconds":5}',
         ("POST", "/api/schedule", {**_RUN, "job_id": "s", "trigger": _SECONDS})),
        ("schedules add h m --at 2030-01-01T00:00Z",
         ("POST", "/api/schedule", {**_RUN, "trigger": {"type": "date", "run_date": "2030-01-01T00:00Z"}})),
        ("schedules add h m --cron @daily --timezone Europe/Berlin --paused --max-running 2 --misfire-grace 60",
         ("POST", "/api/schedule",
          {**_RUN, "trigger": {"type": "cron", "crontab": "@daily", "timezone": "Europe/Berlin"},
           "paused": True, "max_running_jobs": 2, "misfire_grace_time": 60.0})),
    ],
)  # fmt: skip
def test_each_command_is_one_request(words: str, asked: tuple[str, str, Any], api: Any, run: Run) -> None:
    """Every command is one request, with ids quoted and nothing in the body that was not said."""
    result = run(*words.split())

    assert (result.exit_code, api.asked) == (0, [asked]), result.output


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("schedules list", "/api/schedules?limit=1000"),
        ("schedules list --handler h --limit 7", "/api/schedules?handler_id=h&limit=7"),
        ("jobs list --state running", "/api/jobs?state=running&limit=100"),
        ("executions", "/api/executions?order=newest&limit=50"),
        ("executions errors --limit 3", "/api/executions/errors?limit=3"),
        ("executions --outcome error", "/api/executions?outcome=error&order=newest&limit=50"),
        ("executions list --oldest --since 2026-11-22 --schedule s",
         "/api/executions?schedule_id=s&since=2026-11-22&order=oldest&limit=50"),
    ],
)  # fmt: skip
def test_a_list_is_asked_for_with_its_filters(words: str, path: str, api: Any, run: Run) -> None:
    """Filters become the query; `executions` alone is its list."""
    api.answer = (200, {"schedules": [], "jobs": [], "executions": [], "next_cursor": None})

    result = run(*words.split())

    assert (result.exit_code, api.asked) == (0, [("GET", path, None)]), result.output


def test_a_long_list_is_asked_for_page_by_page(api: Any, run: Run) -> None:
    """All pages are followed as far as --limit, and become one answer."""
    api.next.extend([
        (200, {"schedules": [{"id": "a"}, {"id": "b"}], "next_cursor": "x="}),
        (200, {"schedules": [{"id": "c"}], "next_cursor": "y="}),
    ])  # fmt: skip

    result = run("schedules", "list", "--limit", "3", "--json")

    assert [path for _, path, _ in api.asked] == ["/api/schedules?limit=3", "/api/schedules?limit=1&cursor=x%3D"]
    assert json.loads(result.output) == {"schedules": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "next_cursor": "y="}


@pytest.mark.parametrize(("what", "one"), [("jobs", "job_id"), ("schedules", "id")])
def test_what_cannot_be_read_is_told_beside_the_list(what: str, one: str, api: Any, run: Run) -> None:
    """Of every page that was asked for: a line each beside the table, and among the JSON."""
    unreadable = [{"id": "x", "error": "ValueError: odd"}, {"id": "y", "error": "KeyError: 'z'"}]
    pages = [
        (200, {what: [{one: "a"}], "next_cursor": "c", "unreadable": unreadable[:1]}),
        (200, {what: [{one: "b"}], "next_cursor": None, "unreadable": unreadable[1:]}),
    ]
    api.next.extend(pages * 2)

    table, data = run(what, "list"), run(what, "list", "--json")

    assert table.stderr.splitlines() == [
        "schedule-zero: x cannot be read, mend or remove it: ValueError: odd",
        "schedule-zero: y cannot be read, mend or remove it: KeyError: 'z'",
    ]
    assert [line.split()[0] for line in table.stdout.splitlines()][1:] == ["a", "b"]
    assert json.loads(data.output)["unreadable"] == unreadable


def test_counts_are_a_table_by_handler(api: Any, run: Run) -> None:
    """A line a handler and one for all, a column an outcome that there is."""
    api.answer = (200, {
        "total": 3, "by_outcome": {"error": 1, "success": 2}, "by_handler": {"h1": {"success": 2}, "h2": {"error": 1}},
    })  # fmt: skip

    assert run("executions", "stats").output.splitlines() == [
        "HANDLER_ID  SUCCESS  ERROR",
        "h1          2",
        "h2                   1",
        "(all)       2        1",
    ]


def test_the_log_is_dropped_when_that_is_confirmed(api: Any, run: Run) -> None:
    """Without --yes it is asked, and no answer is no."""
    api.answer = (200, {"removed": 3})

    assert (run("executions", "clear").exit_code, api.asked) == (1, [])
    assert run("executions", "clear", "--yes").output == "3 executions dropped\n"
    assert api.asked == [("DELETE", "/api/executions", None)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("schedules add h m", "expected one of --at, --every, --cron and --trigger, found 0"),
        ("schedules add h m --every 5s --at 2030", "expected one of --at, --every, --cron and --trigger, found 2"),
        ("schedules add h m --every soon", "--every: expected a length of time such as 90s, 5min or 1d, found 'soon'"),
        ("schedules add h m --every 5s --timezone UTC", "--timezone is for --cron: give --at an offset"),
        ("schedules add h m --trigger {", "--trigger: not JSON: "),
        ("jobs run h m --params [1]", "--params: expected a JSON object, found [1]"),
        ("handlers list --token @nowhere/t", "--token @nowhere/t: cannot be read: "),
    ],
)
def test_a_mistake_never_reaches_the_server(words: str, said: str, api: Any, run: Run) -> None:
    """What cannot be meant is one line and exit code 2."""
    result = run(*words.split())

    assert (result.exit_code, api.asked) == (2, [])
    assert result.output.startswith(f"schedule-zero: {said}")
    assert result.output.count("\n") == 1


def test_the_fields_of_a_refusal_are_told_once(api: Any, run: Run) -> None:
    """What the sentence does not say of a field follows it."""
    api.answer = (422, {
        "title": "Invalid value", "detail": "a: expected x",
        "errors": [{"field": "a", "detail": "expected x"}, {"field": "b", "detail": "expected y"}],
    })  # fmt: skip

    result = run("schedules", "pause", "s")

    said = "schedule-zero: 422 Unprocessable Entity: a: expected x; b: expected y\n"
    assert (result.exit_code, result.output.replace("Content", "Entity")) == (1, said)


def test_another_kind_of_server_is_told(api: Any, run: Run) -> None:
    """An answer of the wrong shape is one line."""
    api.answer = (200, ["hello"])

    result = run("jobs", "list")

    assert (result.exit_code, result.output) == (
        1, f"schedule-zero: what answers at {api.url} is no server of schedule-zero\n",
    )  # fmt: skip


def test_a_token_is_shown_also_from_a_file(api: Any, run: Run, tmp_path: Any) -> None:
    """--token is sent as a bearer token; @FILE keeps it off the process list."""
    (tmp_path / "t").write_text("szt_file\n")

    run("handlers", "list", "--token", "szt_word")
    run("handlers", "list", "--token", f"@{tmp_path / 't'}")

    assert [one["authorization"] for one in api.headers] == ["Bearer szt_word", "Bearer szt_file"]
