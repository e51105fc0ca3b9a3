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
