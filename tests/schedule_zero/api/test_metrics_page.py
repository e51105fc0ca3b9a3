"""GET /metrics on a live server, read by Prometheus's own parser."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(api: Any) -> Samples:
    """Every sample by name and labels."""
    answer = api.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.raw.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """By how much a sample has grown."""
    key = (f"schedule_zero_{name}", tuple(sorted(labels.items())))
    return after[key] - before.get(key, 0.0)


def test_what_is_done_is_counted(api: Any) -> None:
    """One success and one failure: jobs, calls, lateness, requests and events have grown by what happened."""
    before = samples(api)
    for method in ("echo", "fail"):
        place = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": method}).headers["location"]
        api.until(place, lambda body: body["state"] == "done")
    api.ask("GET", "/api/nowhere")
    after = samples(api)
    assert grown(before, after, "jobs_added_total", source="run_now") == 2
    assert grown(before, after, "jobs_finished_total", handler="h", outcome="success") == 1
    assert grown(before, after, "jobs_finished_total", handler="h", outcome="error") == 1
    assert grown(before, after, "call_seconds_count", handler="h") == 2
    assert grown(before, after, "job_lateness_seconds_count") == 2
    assert grown(before, after, "http_requests_total", method="POST", route="/api/run_now", status="202") == 2
    assert grown(before, after, "http_requests_total", method="GET", route="(unknown)", status="404") == 1
    assert grown(before, after, "http_request_seconds_count", route="/metrics") == 1
    assert grown(before, after, "events_total") >= 6
    assert grown(before, after, "store_commits_total") >= 2


def test_connections_are_counted(api: Any, server: Any) -> None:
    """Two connections that say nothing are two more that are open and idle; what was refused begins at nothing."""
    end = time.monotonic() + 20.0
    while (before := samples(api))["schedule_zero_http_connections", ()] > 1:
        assert time.monotonic() < end, "waited 20 s for the end of other tests' connections"
    with (
        socket.create_connection(("127.0.0.1", server.http_port)),
        socket.create_connection(("127.0.0.1", server.http_port)),
    ):
        after = samples(api)
    assert grown(before, after, "http_connections") == 2
    assert grown(before, after, "http_connections_idle") == 2
    assert after["schedule_zero_http_connections_most", ()] >= 16
    assert after["schedule_zero_http_connections_refused_total", ()] == 0
    assert after["schedule_zero_http_connections_displaced_total", ()] == 0


def test_what_is_now_is_looked_up(api: Any, server: Any) -> None:
    """Handlers, queue, store, registrations and health as they are."""
    now = {name: value for (name, labels), value in samples(api).items() if not labels}
    assert now["schedule_zero_handlers_connected"] == 1
    assert now["schedule_zero_handlers_known"] == 1
    assert now["schedule_zero_jobs_running"] == 0
    assert now["schedule_zero_jobs_waiting"] == 0
    assert now["schedule_zero_store_busy"] == 0
    assert now["schedule_zero_up"] == 1
    assert now["schedule_zero_registration_requests_total"] >= 1
    assert now["schedule_zero_registration_malformed_total"] == 0


def test_runs_that_were_left_out_are_counted(api: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store has left out since its start."""
    monkeypatch.setattr(server.service._store, "left_out", 2601)
    assert samples(api)["schedule_zero_runs_left_out_total", ()] == 2601.0


def test_routes_not_targets_are_counted(api: Any) -> None:
    """A thousand ids are one route: what clients make up cannot fill the memory; nor can verbs."""
    for number in range(3):
        api.ask("GET", f"/api/jobs/{number}")
        api.ask(f"VERB{number}", "/api/jobs/1")
    routes = {dict(labels)["route"] for name, labels in samples(api) if name == "schedule_zero_http_requests_total"}
    verbs = {dict(labels)["method"] for name, labels in samples(api) if name == "schedule_zero_http_requests_total"}
    assert "/api/jobs/{job_id}" in routes
    assert not any(route.startswith("/api/jobs/1") for route in routes)
    assert not any(verb.startswith("VERB") for verb in verbs)


def test_the_numbers_of_a_server_are_its_own(api: Any) -> None:
    """Nothing is registered with the library's global registry."""
    samples(api)
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("schedule_zero")]
