"""Schedules over HTTP: POST /api/schedule, and GET, PATCH, DELETE under /api/schedules."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

FAR = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}


def new(name: str, **fields: Any) -> dict[str, Any]:
    """A schedule for the year 2099."""
    return {"handler_id": "h", "job_method": "echo", "job_id": name, "trigger": FAR, **fields}


def test_a_schedule_lives_from_post_to_delete(api: Any) -> None:
    """201 with a Location, found there and in the list, changed by PATCH, gone after DELETE."""
    answer = api.ask("POST", "/api/schedule", new("a b/c", job_params={"text": "x"}, max_running_jobs=2))
    assert (answer.status, answer.body) == (201, {"schedule_id": "a b/c"})
    place = answer.headers["location"]
    assert place == "/api/schedules/a%20b%2Fc"
    view = api.ask("GET", place).body
    assert (view["id"], view["handler_id"], view["job_params"], view["max_running_jobs"]) == (
        "a b/c",
        "h",
        {"text": "x"},
        2,
    )
    assert view["next_fire_time"] == "2099-01-01T00:00:00Z"
    assert "a b/c" in [s["id"] for s in api.ask("GET", "/api/schedules").body["schedules"]]
    assert api.ask("PATCH", place, {"paused": True}).body["paused"] is True
    later = {"type": "interval", "days": 1, "start_time": "2098-01-01T00:00:00Z"}
    changed = api.ask("PATCH", place, {"paused": False, "trigger": later}).body
    assert (changed["paused"], changed["next_fire_time"]) == (False, "2098-01-01T00:00:00Z")
    assert api.ask("DELETE", place).status == 204
    for verb, body in (("GET", None), ("PATCH", {"paused": True}), ("DELETE", None)):
        assert api.ask(verb, place, body).status == 404


def test_a_taken_id_is_a_conflict_unless_told_otherwise(api: Any) -> None:
    """409 by default, with a repeated key 201 again, with do_nothing and replace 201."""
    headers = {"Idempotency-Key": "taken"}
    assert api.ask("POST", "/api/schedule", new("taken"), headers=headers).status == 201
    assert api.ask("POST", "/api/schedule", new("taken"), headers=headers).status == 201
    assert api.ask("POST", "/api/schedule", new("taken")).status == 409
    assert (
        api.ask("POST", "/api/schedule", new("taken", conflict_policy="do_nothing", paused=True)).status == 201
    )
    assert api.ask("GET", "/api/schedules/taken").body["paused"] is False
    assert api.ask("POST", "/api/schedule", new("taken", conflict_policy="replace", paused=True)).status == 201
    assert api.ask("GET", "/api/schedules/taken").body["paused"] is True


def test_a_schedule_fires(api: Any) -> None:
    """An interval's jobs are found among the executions of the schedule, each with its intended time."""
    trigger = {"type": "interval", "seconds": 0.05}
    assert (
        api.ask("POST", "/api/schedule", new("tick", trigger=trigger, job_params={"text": "t"})).status == 201
    )
    found = api.until("/api/executions?schedule_id=tick", lambda body: len(body["executions"]) >= 2)
    assert {e["outcome"] for e in found["executions"]} == {"success"}
    assert all(e["scheduled_for"] for e in found["executions"])
    assert api.ask("DELETE", "/api/schedules/tick").status == 204


def test_schedules_are_paged_and_filtered(api: Any) -> None:
    """Following the cursor meets every schedule once, by id; a filter leaves those of one handler."""
    for number in range(5):
        assert api.ask("POST", "/api/schedule", new(f"page-{number}")).status == 201
    everything = [s["id"] for s in api.ask("GET", "/api/schedules").body["schedules"]]
    seen: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        page = api.ask("GET", f"/api/schedules?limit=2{cursor and f'&cursor={cursor}'}").body
        seen += [s["id"] for s in page["schedules"]]
        cursor = page["next_cursor"]
    assert seen == everything == sorted(everything)
    assert {f"page-{number}" for number in range(5)} <= set(seen)
    assert [s["id"] for s in api.ask("GET", "/api/schedules?handler_id=h").body["schedules"]] == seen
    assert api.ask("GET", "/api/schedules?handler_id=nobody").body["schedules"] == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"trigger": {"type": "cron", "hour": 99}}, "trigger.hour"),
        ({"trigger": {"type": "cron", "hour": "99"}}, "trigger"),
        ({"trigger": {"type": "moon"}}, "trigger.type"),
        ({"trigger": {}}, "trigger.type"),
        ({"trigger": {"type": "date"}}, "trigger.run_date"),
        ({"trigger": {"type": "interval", "hour": 1}}, "trigger.hour"),
        ({"trigger": {"type": "interval", "hours": "1"}}, "trigger.hours"),
        ({"job_id": "a\u0000"}, "job_id"),
        ({"trigger": {"type": "date", "run_date": "soon"}}, "trigger.run_date"),
        ({"trigger": {"type": "date", "run_date": "9999-12-31T23:59:59-14:00"}}, "trigger.run_date"),
        ({"trigger": {"type": "date", "run_date": "0001-01-01T00:00:00+14:00"}}, "trigger.run_date"),
        ({"trigger": {"type": "cron", "hour": 1, "end_time": "9999-12-31T23:59:59-14:00"}}, "trigger.end_time"),
        ({"trigger": {"type": "cron", "year": 2000}}, "trigger"),
        ({"trigger": "daily"}, "trigger"),
        ({"coalesce": "some"}, "coalesce"),
        ({"max_running_jobs": 0}, "max_running_jobs"),
        ({"misfire_grace_time": -1}, "misfire_grace_time"),
    ],
)
def test_a_wrong_schedule_is_refused_by_field(api: Any, fields: dict[str, Any], field: str) -> None:
    """422 names the field, down into the trigger."""
    answer = api.ask("POST", "/api/schedule", new("wrong", **fields))
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == [field]
