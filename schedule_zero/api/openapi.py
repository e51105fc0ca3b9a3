"""The OpenAPI 3.1 document, made from the routes, what their operations declare, and the types of their bodies."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from schedule_zero.api.operations import JSON, Operation, Returns, Scope, operation_of
from schedule_zero.api.problems import CONTENT_TYPE, TITLES, Problem
from schedule_zero.api.routes import ROUTES, Route
from schedule_zero.api.trigger_bodies import COMPONENT, AnyTrigger
from schedule_zero.idempotency import KEY_LIFE, MAX_KEY
from schedule_zero.security.settings import MAX_BODY
from schedule_zero.service_events import ServiceEvent

__all__ = ["document"]

_REF = "#/components/schemas/{name}"
_VERBS = ("GET", "POST", "PATCH", "DELETE")
#: Statuses that any operation may answer, beside its own: a foreign host, a wrong parameter, too many requests, a
#: defect, trouble.
_ALWAYS = (421, 422, 429, 500, 503)
_GUARDED = (401, 403)
_MEANINGS = {
    400: "The body is not JSON.",
    401: "A token is asked for, and there was none, or one that is not known.",
    403: "The token does not allow this, or the request came from a foreign page.",
    404: "There is nothing under this id.",
    409: "The id, or the idempotency key, is taken by something else.",
    413: f"The body has more than {MAX_BODY} bytes.",
    415: "The body is announced as something else than JSON.",
    421: "The Host header names another server: see security.hosts.",
    422: "A parameter or a field of the body cannot be used; `errors` says which, and why.",
    429: "Too many requests from this client; see Retry-After.",
    500: "A defect of the server; its log has the details.",
    503: "The store is in trouble, or the server is stopping; see Retry-After.",
}
_TAGS = {
    "jobs": "Jobs that run once, now, and what becomes of them.",
    "schedules": "What makes jobs: once, every so often, by cron or by calendar.",
    "executions": "What has become of jobs.",
    "handlers": "Who carries jobs out.",
    "events": "What happens, as it happens.",
    "governor": "What keeps the processes alive.",
    "server": "The server itself.",
}
_ABOUT = """\
Jobs and schedules for handlers that are reached over ZeroMQ. What is answered with 2xx has been written to disk.
Instants are ISO 8601 with their offset, durations are seconds. Errors are problem details (RFC 9457) that name the
fields which are wrong. Unknown fields and parameters are refused. HEAD is answered wherever GET is."""


def document() -> dict[str, Any]:
    """The document; the same for every server of this version."""
    operations = [
        (route, verb, found) for route in ROUTES for verb in _VERBS if (found := operation_of(route.handler, verb))
    ]
    schemas = _Schemas([kind for _, _, found in operations for kind in _kinds(found)])
    paths: dict[str, dict[str, Any]] = {}
    for route, verb, found in operations:
        paths.setdefault(route.path, {})[verb.lower()] = _operation(route, verb, found, schemas)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "schedule_zero",
            "version": importlib.metadata.version("harness"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {str(status): _problem(status, schemas) for status in sorted(_MEANINGS)},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    # As a client sees it: defaults that are tuples in Python are lists.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain


class _Schemas:
    """JSON Schemas of types, in one set of components."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        self._kinds = list(dict.fromkeys([*kinds, Problem, AnyTrigger, ServiceEvent]))
        found, components = msgspec.json.schema_components(self._kinds, ref_template=_REF)
        self._schemas = dict(zip(map(str, self._kinds), found, strict=True))
        self.components: dict[str, Any] = {**components, COMPONENT: self._schemas[str(AnyTrigger)]}
        for schema in self.components.values():
            _tidy(schema)

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of one type."""
        return self._schemas[str(kind)]


def _kinds(declared: Operation) -> list[Any]:
    kinds = [declared.body, *(returns.kind for returns in declared.answers.values())]
    return [kind for kind in kinds if kind is not None]


def _tidy(schema: dict[str, Any]) -> None:
    if "description" in schema:
        schema["description"] = _text(schema["description"])
    # In Python a trigger is a mapping that may come from anywhere; over HTTP it must be one of these.
    trigger = schema.get("properties", {}).get("trigger")
    if trigger is None or trigger.get("type") == "string":
        return
    reference = {"$ref": _REF.format(name=COMPONENT)}
    optional = "anyOf" in trigger
    schema["properties"]["trigger"] = (
        {"anyOf": [reference, {"type": "null"}], "default": None} if optional else reference
    )


def _text(docstring: str) -> str:
    """A docstring as running text in Markdown, without its examples."""
    text = re.split(r"\n\s*Example", inspect.cleandoc(docstring))[0]
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).strip().replace("``", "`")


def _operation(route: Route, verb: str, declared: Operation, schemas: _Schemas) -> dict[str, Any]:
    method = getattr(route.handler, verb.lower())
    guarded = declared.scope is not Scope.NONE
    problems = {*declared.problems, *_ALWAYS, *(_GUARDED if guarded else ())} - set(declared.answers)
    needed = f"\n\nNeeds the scope {declared.scope.value}." if guarded else ""
    described: dict[str, Any] = {
        "operationId": _identifier(route, verb),
        "summary": declared.summary,
        "description": _text(method.__doc__ or "") + needed,
        "tags": [declared.tag],
        "parameters": [*_path_parameters(route, declared), *_query_parameters(declared), *_headers(declared)],
        "responses": {
            **{str(status): _answer(returns, schemas) for status, returns in declared.answers.items()},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(problems)},
        },
        # Tokens are asked for where they are configured.
        "security": [{"bearer": []}, {}] if guarded else [],
    }
    if declared.body is not None:
        content = {"schema": schemas.of(declared.body), "example": declared.body_example}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _identifier(route: Route, verb: str) -> str:
    words = [word for word in re.split(r"[/._{}]+", route.path) if word and word != "api"]
    return "_".join([verb.lower(), *words])


def _path_parameters(route: Route, declared: Operation) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "description": declared.path[name], "schema": schema}
        for name in route.parameters
    ]


def _query_parameters(declared: Operation) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([declared.query], ref_template=_REF)
    fields = components[declared.query.__name__]["properties"]
    parameters = []
    for name, field in fields.items():
        schema = _inlined(field, components)
        about = schema.pop("description", "")
        if schema.get("default", 0) is None:
            schema.pop("default")
        parameters.append({"name": name, "in": "query", "required": False, "description": about, "schema": schema})
    return parameters


def _inlined(field: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter by itself; one that may be absent is not null but absent."""
    schema = dict(field)
    for choice in schema.pop("anyOf", ()):
        if choice != {"type": "null"}:
            schema = {**choice, **schema}
    if "$ref" in schema:
        name = schema.pop("$ref").rpartition("/")[2]
        schema = {"enum": components[name]["enum"], **schema}
    return schema


def _headers(declared: Operation) -> list[dict[str, Any]]:
    headers = []
    if declared.keyed:
        about = (
            "A repetition under the same key answers as the first time and does nothing more, for "
            f"{KEY_LIFE / 86400:g} days at least."
        )
        headers.append(_header("Idempotency-Key", about, {"type": "string", "minLength": 1, "maxLength": MAX_KEY}))
    if declared.resumed:
        about = "The id of the last event that was received: go on after it."
        headers.append(_header("Last-Event-ID", about, {"type": "string"}))
    return headers


def _header(name: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


def _answer(returns: Returns, schemas: _Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": returns.about}
    if returns.headers:
        answer["headers"] = {
            name: {"description": about, "required": True, "schema": {"type": "string"}}
            for name, about in returns.headers.items()
        }
    if returns.kind is not None or returns.media != JSON:
        content = {"schema": {"type": "string"} if returns.kind is None else schemas.of(returns.kind)}
        if returns.example is not None:
            content["example"] = returns.example
        answer["content"] = {returns.media: content}
    return answer


def _problem(status: int, schemas: _Schemas) -> dict[str, Any]:
    example: dict[str, Any] = {"title": TITLES[status], "status": status, "detail": _MEANINGS[status]}
    if status == 422:
        detail = "Expected `int` <= 1000"
        example |= {"detail": f"limit: {detail}", "errors": [{"field": "limit", "detail": detail}]}
    answer: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {CONTENT_TYPE: {"schema": schemas.of(Problem), "example": example}},
    }
    if status in (429, 503):
        about = "Seconds to wait before asking again."
        answer["headers"] = {"Retry-After": {"description": about, "schema": {"type": "string"}}}
    return answer
