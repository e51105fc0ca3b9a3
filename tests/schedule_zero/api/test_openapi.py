"""The OpenAPI document says what the server does, no more and no less."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from tornado.web import RequestHandler

from schedule_zero import triggers
from schedule_zero.api import trigger_bodies
from schedule_zero.api.openapi import document
from schedule_zero.api.operations import operation_of
from schedule_zero.api.routes import ROUTES

pytestmark = pytest.mark.unit

FAR = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, verb and content of every operation of the document."""
    return [(path, verb, found) for path, verbs in document()["paths"].items() for verb, found in verbs.items()]


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    """Each verb that a handler implements is declared, and each declared one is implemented."""
    implemented = {
        (route.path, verb.lower())
        for route in ROUTES
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if getattr(route.handler, verb.lower()) is not getattr(RequestHandler, verb.lower())
    }
    assert implemented == {(path, verb) for path, verb, _ in operations()}
    assert all(operation_of(route.handler, verb) for route in ROUTES for verb in route.handler.verbs()[:-1])


def test_operations_are_told_apart_and_explained() -> None:
    """Each has an id of its own, a summary, a description, and a meaning for each parameter and status."""
    found = [operation for _, _, operation in operations()]
    ids = [operation["operationId"] for operation in found]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["description"] for operation in found)
    assert all(parameter["description"] for operation in found for parameter in operation["parameters"])
    assert all(
        "$ref" in response or response["description"] for o in found for response in o["responses"].values()
    )


def test_every_operation_foresees_what_can_happen_to_any() -> None:
    """Foreign names, wrong parameters, too many requests, defects, trouble; where tokens may be asked for, 401
    and 403 too.
    """
    open_to_all = {path for path, _, operation in operations() if not operation["security"]}
    assert open_to_all == {"/api/health", "/api/openapi.json", "/api/session"}
    for path, _, operation in operations():
        assert {"421", "422", "429", "500", "503"} <= set(operation["responses"])
        assert {"401", "403"} <= set(operation["responses"]) or path in open_to_all


def test_schemas_are_schemas(judge: Any) -> None:
    """Each component is a JSON Schema by the judgement of its meta-schema, and what it refers to is there."""
    for name, schema in document()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        with pytest.raises(jsonschema.ValidationError):
            judge.validator("components", "schemas", name).validate(object())


def test_examples_fit_their_schemas(judge: Any) -> None:
    """Every example of a body, an answer or a problem is one that the schema takes."""
    checked = 0
    places = [["paths", path, verb, "responses"] for path, verb, _ in operations()] + [["components", "responses"]]
    for place in places:
        node: Any = judge.document
        for part in place:
            node = node[part]
        for status, response in node.items():
            for media, content in response.get("content", {}).items():
                if "example" in content:
                    judge.validator(*place, status, "content", media, "schema").validate(content["example"])
                    checked += 1
    for path, verb, operation in operations():
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            where = ("paths", path, verb, "requestBody", "content", media, "schema")
            judge.validator(*where).validate(content["example"])
            checked += 1
    assert checked >= 30


def test_triggers_have_the_same_fields_here_and_there() -> None:
    """What a body's trigger may say is what triggers are built from."""
    kinds = (
        trigger_bodies.DateTrigger,
        trigger_bodies.IntervalTrigger,
        trigger_bodies.CronTrigger,
        trigger_bodies.CalendarTrigger,
    )
    told = {kind.__struct_config__.tag: set(kind.__struct_fields__) for kind in kinds}
    assert told == {kind: set(fields) for kind, fields in triggers._FIELDS.items()}


@pytest.mark.integration
def test_the_server_answers_its_document(api: Any) -> None:
    """What is served is what is written."""
    assert api.ask("GET", "/api/openapi.json").body == document()


@pytest.mark.integration
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
    api.ask("DELETE", "/api/executions")
    api.ask("DELETE", "/api/session")
    good = {(path, verb, int(s)) for path, verb, o in operations() for s in o["responses"] if s < "300"}
    good -= {("/api/governor/handlers/{handler_id}/restart", "post", 200), ("/api/session", "post", 200)}
    assert good - judge.seen == set()
