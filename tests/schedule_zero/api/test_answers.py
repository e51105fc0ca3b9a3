"""A live server answers as its document says."""

from __future__ import annotations

from typing import Any

import pytest
from apscheduler import Job

from schedule_zero.api.openapi import document
from schedule_zero.api.operations import operation_of
from schedule_zero.api.routes import ROUTES
from schedule_zero.store_schedules import insert_job

pytestmark = pytest.mark.integration

FAR = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}


def test_the_server_answers_its_document(api: Any) -> None:
    """What is served is what is written."""
    assert api.ask("GET", "/api/openapi.json").body == document()


def test_answers_are_as_they_are_declared(api: Any, judge: Any) -> None:
    """Every good answer but a restart's, and problems of each kind, come from a live server and fit their schemas."""
    job = {"handler_id": "h", "job_method": "echo"}
    location = api.ask("POST", "/api/run_now", job).headers["location"]
    api.until(location, lambda body: body["state"] == "done")
    failed = api.ask("POST", "/api/run_now", {**job, "job_method": "fail"}).headers["location"]
    api.until(failed, lambda body: body["state"] == "done")
    api.ask("POST", "/api/schedule", {**job, "job_id": "s", "trigger": FAR, "max_jitter": 1, "paused": True})
    api.ask("POST", "/api/schedule", {**job, "job_id": "s", "trigger": FAR})
    api.ask("PATCH", "/api/schedules/s", {"paused": False})
    simple = [route.path for route in ROUTES if not route.parameters and operation_of(route.handler, "GET")]
    for path in [*simple, "/api/schedules/s", "/api/handlers/h"]:
        if path != "/api/events":
            assert api.ask("GET", path).status == 200
    api.ask("HEAD", "/api/events")
    api.ask("DELETE", "/api/session")
    for path in ("/api/schedules/no", "/api/jobs/no", "/api/handlers/no"):
        assert api.ask("GET", path).status == 404
    assert api.ask("POST", "/api/governor/handlers/h/restart").status == 409
    for raw, headers, status in ((b"{", {}, 400), (b"{}", {}, 422), (b"{}", {"Content-Type": "text/html"}, 415)):
        for verb, path in (("POST", "/api/run_now"), ("POST", "/api/schedule"), ("PATCH", "/api/schedules/s")):
            expected = 200 if (verb, status) == ("PATCH", 422) else status
            assert api.ask(verb, path, raw=raw, headers=headers).status == expected
    api.ask("DELETE", "/api/schedules/s")
    waiting = Job(task_id="of nobody", kwargs={}, executor="async")
    api.write(lambda c: insert_job(c, waiting))
    api.ask("DELETE", f"/api/jobs/{waiting.id}")
    api.ask("DELETE", "/api/executions")
    api.ask("DELETE", "/api/session")
    good = {
        (path, verb, int(status))
        for path, verbs in document()["paths"].items()
        for verb, operation in verbs.items()
        for status in operation["responses"]
        if status < "300"
    }
    good -= {("/api/governor/handlers/{handler_id}/restart", "post", 200), ("/api/session", "post", 200)}
    assert good - judge.seen == set()
