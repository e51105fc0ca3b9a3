"""What all of the API has in common: health, handlers, executions, wrong paths and verbs."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def test_health_tells_of_each_part(api: Any) -> None:
    """200 with store, scheduler and registration, each ok, in less than the promised 50 ms."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        answer = api.ask("GET", "/api/health?ready=1")
        times.append(time.perf_counter() - begun)
        assert (answer.status, answer.body["status"]) == (200, "ok")
    assert {name: part["ok"] for name, part in answer.body["parts"].items()} == {
        "store": True,
        "scheduler": True,
        "registration": True,
    }
    assert sorted(times)[2] < 0.05


def test_handlers_are_listed_with_their_status(api: Any) -> None:
    """Id, address, methods and status of each."""
    [handler] = api.ask("GET", "/api/handlers").body["handlers"]
    assert (handler["id"], handler["status"]) == ("h", "Connected")
    assert handler["address"].startswith("tcp://127.0.0.1:")
    assert set(handler["methods"]) == {"echo", "fail"}


def test_executions_are_paged_filtered_and_counted(api: Any) -> None:
    """Following the cursor meets every execution once, in order; statistics agree."""
    for _ in range(5):
        location = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo"}).headers[
            "location"
        ]
        api.until(location, lambda body: body["state"] == "done")
    everything = api.ask("GET", "/api/executions?limit=1000").body
    assert everything["next_cursor"] is None
    seen: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        page = api.ask("GET", f"/api/executions?limit=2{cursor and f'&cursor={cursor}'}").body
        seen += [e["job_id"] for e in page["executions"]]
        cursor = page["next_cursor"]
    assert seen == [e["job_id"] for e in everything["executions"]]
    assert len(seen) == len(set(seen)) >= 5
    assert api.ask("GET", "/api/executions/stats").body["total"] == len(seen)
    assert api.ask("GET", "/api/executions?handler_id=nobody").body["executions"] == []
    assert api.ask("GET", "/api/executions?since=2099-01-01T00:00:00+00:00").body["executions"] == []
    assert api.ask("GET", "/api/executions/errors").status == 200
    assert api.ask("DELETE", "/api/executions").body == {"removed": len(seen)}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("outcome=lost", "outcome"),
        ("since=now", "since"),
        ("cursor=%25%25", "cursor"),
        ("cursor=WzFd", "cursor"),
    ],
)
def test_wrong_queries_are_refused_by_name(api: Any, query: str, field: str) -> None:
    """422 names the argument."""
    answer = api.ask("GET", f"/api/executions?{query}")
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("GET", "/api/run_now", "POST"),
        ("DELETE", "/api/health", "GET"),
        ("POST", "/api/schedules/x", "GET, DELETE, PATCH"),
        ("PUT", "/api/executions", "GET, DELETE"),
    ],
)
def test_a_wrong_verb_is_told_the_right_ones(api: Any, verb: str, path: str, allowed: str) -> None:
    """405 with Allow."""
    answer = api.ask(verb, path, {})
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_path_is_not_found(api: Any) -> None:
    """404 problem details, for any verb."""
    for verb in ("GET", "POST"):
        answer = api.ask(verb, "/nothing/here")
        assert (answer.status, answer.body["detail"]) == (404, "there is nothing at /nothing/here")


def test_an_unforeseen_error_shows_nothing_of_the_inside(
    api: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 without a traceback or the error's own text."""

    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(server.service, "handlers", broken)
    answer = api.ask("GET", "/api/handlers")
    assert answer.status == 500
    assert b"secret" not in answer.raw
    assert b"Traceback" not in answer.raw
