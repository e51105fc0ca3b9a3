"""What all of the API has in common: health, handlers, executions, wrong paths and verbs."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from schedule_zero.api.operations import operation_of
from schedule_zero.api.routes import ROUTES
from schedule_zero.execution_log import ExecutionRecord, Outcome, insert_record

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
    ("path", "outcome"), [("/api/executions", Outcome.SUCCESS), ("/api/executions/errors", Outcome.ERROR)]
)
def test_answers_are_bounded_however_large_results_are(api: Any, path: str, outcome: Outcome) -> None:
    """Ten results, or errors, of 1.5 MB are no answer of 15 MB: two stand on a page, and the cursor leads to all."""
    api.ask("DELETE", "/api/executions")
    ended = datetime(2026, 5, 1, tzinfo=UTC)
    for number in range(10):
        text = "x" * 1_500_000
        made = ExecutionRecord(
            job_id=f"large{number}",
            handler_id="h",
            method="m",
            outcome=outcome,
            ended_at=ended,
            error=text if outcome is Outcome.ERROR else None,
            result=text if outcome is Outcome.SUCCESS else None,
        )
        api.write(lambda c, made=made: insert_record(c, made))
    seen: list[int] = []
    cursor: Any = ""
    while cursor is not None:
        answer = api.ask("GET", f"{path}?limit=1000{cursor and f'&cursor={cursor}'}")
        assert len(answer.raw) < 4 << 20
        seen += [int(e["job_id"][5:]) for e in answer.body["executions"]]
        assert {len(e["result"] or e["error"]) for e in answer.body["executions"]} == {1_500_000}
        cursor = answer.body["next_cursor"]
    assert seen == sorted(range(10), reverse=path.endswith("errors"))
    api.ask("DELETE", "/api/executions")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("outcome=lost", "outcome"),
        ("outcome=null", "outcome"),
        ("since=now", "since"),
        ("cursor=%25%25", "cursor"),
        ("cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSwgImEiXQ==", "cursor"),
        ("cursor=WzEsICJhXHUwMDAwIl0=", "cursor"),
        ("limit=1&limit=2", "limit"),
        ("handler_id=", "handler_id"),
        ("handler_id=a%00", "handler_id"),
        ("hander_id=h", "hander_id"),
        ("limit=%ff", "limit"),
        ("cursor=WzFd", "cursor"),
    ],
)
def test_wrong_queries_are_refused_by_name(api: Any, query: str, field: str) -> None:
    """422 names the argument."""
    answer = api.ask("GET", f"/api/executions?{query}")
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        (verb, route.path)
        for route in ROUTES
        for verb in ("GET", "HEAD", "POST", "PATCH", "DELETE")
        if operation_of(route.handler, verb) is not None
    ],
)
def test_every_operation_refuses_parameters_that_it_does_not_know(api: Any, verb: str, path: str) -> None:
    """422 by name before anything is done; the event stream and the metrics make no exception."""
    answer = api.ask(verb, f"{re.sub('{.*}', 'x', path)}?surprise=1")
    assert answer.status == 422
    if verb != "HEAD":
        assert answer.body["errors"] == [{"field": "surprise", "detail": "unknown parameter"}]


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("GET", "/api/run_now", "POST, OPTIONS"),
        ("HEAD", "/api/run_now", "POST, OPTIONS"),
        ("DELETE", "/api/health", "GET, HEAD, OPTIONS"),
        ("POST", "/api/schedules/x", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        ("PUT", "/api/executions", "GET, DELETE, HEAD, OPTIONS"),
        ("NONSENSE", "/api/executions", "GET, DELETE, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_verb_is_told_the_right_ones(api: Any, verb: str, path: str, allowed: str) -> None:
    """405 with Allow."""
    answer = api.ask(verb, path, {})
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


def test_options_tell_the_verbs(api: Any) -> None:
    """204 with Allow and no body."""
    answer = api.ask("OPTIONS", "/api/schedules/x")
    assert (answer.status, answer.headers["allow"], answer.raw) == (204, "GET, PATCH, DELETE, HEAD, OPTIONS", b"")


@pytest.mark.parametrize("path", ["/api/health", "/api/executions?limit=1", "/api/schedules/nothing", "/metrics"])
def test_head_is_get_without_a_body(api: Any, path: str) -> None:
    """The same status and type, and no content."""
    get, head = api.ask("GET", path), api.ask("HEAD", path)
    assert (head.status, head.headers["content-type"]) == (get.status, get.headers["content-type"])
    assert head.raw == b""


def test_an_unknown_path_is_not_found(api: Any) -> None:
    """404 problem details, for any verb."""
    for verb in ("GET", "POST"):
        answer = api.ask(verb, "/nothing/here")
        assert (answer.status, answer.body["detail"]) == (404, "there is nothing at /nothing/here")


@pytest.mark.parametrize("verb", ["GET", "PATCH", "DELETE"])
def test_nothing_has_an_id_with_a_nul(api: Any, verb: str) -> None:
    """404 before any store is asked: PostgreSQL cannot be asked for a text with a NUL."""
    answer = api.ask(verb, "/api/schedules/a%00b", {})
    assert (answer.status, answer.body["detail"]) == (404, "there is nothing under an id with a NUL in it")


def test_one_handler_is_found_by_its_id(api: Any) -> None:
    """As it stands in the list; 404 for one that never registered."""
    [handler] = api.ask("GET", "/api/handlers").body["handlers"]
    one = api.ask("GET", "/api/handlers/h").body
    assert {**one, "last_seen": None} == {**handler, "last_seen": None}
    assert api.ask("GET", "/api/handlers/nobody").status == 404


def test_the_configuration_is_told_without_secrets(api: Any, server: Any) -> None:
    """The real ports, and settings by name; no path, nothing of keys and tokens."""
    answer = api.ask("GET", "/api/config")
    assert (answer.body["http"], answer.body["store"]) == ({"host": "127.0.0.1", "port": server.http_port}, "memory")
    assert answer.body["retry"]["base"] == 0.01
    assert not {"security", "registry_path", "database", "data_dir", "log"} & set(answer.body)


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
