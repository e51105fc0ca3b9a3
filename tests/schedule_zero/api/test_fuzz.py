"""Whatever is sent to any operation is answered, never with 500, and as the document says."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedule_zero.api.examples import CHANGE, NEW_SCHEDULE, RUN_NOW
from schedule_zero.api.operations import Operation, operation_of
from schedule_zero.api.routes import ROUTES

pytestmark = [
    pytest.mark.integration,
    # It is the server, in its thread beside, that draws the jitter of its retries.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

#: Bodies that are nearly right, as the handler of these tests knows them.
BODIES: list[dict[str, Any]] = [
    {**RUN_NOW, "handler_id": "h", "job_method": "echo", "job_params": {}},
    {**NEW_SCHEDULE, "handler_id": "h", "job_method": "echo", "job_params": {}},
    {"handler_id": "h", "job_method": "echo", "trigger": {"type": "interval", "minutes": 5}},
    {"handler_id": "h", "job_method": "echo", "trigger": {"type": "date", "run_date": "2099-01-01T00:00:00Z"}},
    {"handler_id": "h", "job_method": "echo", "trigger": {"type": "calendar", "days": 1, "hour": 8}},
    {"handler_id": "h", "job_method": "echo", "trigger": {"type": "cron", "crontab": "*/5 * * * *"}},
    CHANGE,
]
OPERATIONS: list[tuple[str, str, Operation]] = [
    (route.path, verb, found)
    for route in ROUTES
    for verb in ("GET", "POST", "PATCH", "DELETE")
    if route.path != "/api/events" and (found := operation_of(route.handler, verb))
]

numbers = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([2**63, -(2**63) - 1, 1e308])
)
words = st.text(max_size=30) | st.sampled_from(
    ["null", "true", "0", "-1", "1e9", "\x00", "*/0", "1-0/3", "last", "2099-13-45", "9999-12-31T23:59:59.999999-23:59",
     "0001-01-01", "Europe/Berlin", "../../etc/passwd", "x" * 300, "SYS:1", "\u202e", "h"]
)  # fmt: skip
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=8
)


def fields_of(body: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The places of all fields of a body, nested ones too."""
    found: list[tuple[str, ...]] = []
    for name, value in body.items():
        found.append((*place, name))
        if isinstance(value, dict):
            found += fields_of(value, (*place, name))
    return found


@st.composite
def broken_bodies(draw: st.DrawFn) -> bytes:
    """A body that is nearly right, with one to three fields replaced, added or dropped; or anything at all."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=50))
    if kind == 1:
        return json.dumps(draw(values)).encode()
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    more = ["misfire_grace_time", "coalesce", "max_running_jobs", "max_jitter", "paused", "retry", "timeout", "job_id",
            "idempotency_key", "at_most_once", "deadline", "conflict_policy", "trigger"]  # fmt: skip
    inside = ["minute", "second", "year", "day_of_week", "weeks", "microseconds", "start_time", "end_time", "timezone"]
    for _ in range(draw(st.integers(1, 3))):
        places = [*fields_of(body), *((name,) for name in more)]
        if isinstance(body.get("trigger"), dict):
            places += [("trigger", name) for name in inside]
        *way, last = draw(st.sampled_from(places))
        target = body
        for step in way:
            target = target[step]
        if not isinstance(target, dict):
            continue
        if draw(st.booleans()) or last not in target:
            target[last] = draw(values)
        else:
            del target[last]
    return json.dumps(body).encode()


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Verb, target, body and headers of a request to one of the operations."""
    path, verb, declared = draw(st.sampled_from(OPERATIONS))
    for name in declared.path:
        value = draw(st.sampled_from(["h", "s", "close-of-day"]) | words)
        path = path.replace(f"{{{name}}}", quote(value or "-", safe=""))
    names = st.sampled_from([*declared.query.__struct_fields__, "x"])
    query = draw(st.lists(st.tuples(names, words | numbers.map(str)), max_size=3))
    target = path + ("?" + "&".join(f"{name}={quote(value)}" for name, value in query) if query else "")
    body = draw(broken_bodies()) if declared.body is not None else None
    plain = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85"), max_size=30)
    headers = draw(
        st.fixed_dictionaries(
            {}, optional={"Idempotency-Key": plain, "Content-Type": st.just("application/json") | plain, "X-Any": plain}
        )
    )
    return verb, target, body, headers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(request=requests())
def test_whatever_is_sent_is_answered(api: Any, request: tuple[str, str, bytes | None, dict[str, str]]) -> None:
    """No 500, no hang, no answer that the document does not foresee."""
    verb, target, body, headers = request
    answer = api.ask(verb, target, raw=body, headers=headers)
    assert answer.status < 500, f"{verb} {target} {body!r} {headers}: {answer}"
    if answer.status == 201:
        assert api.ask("DELETE", answer.headers["location"]).status in (204, 404)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(body=broken_bodies(), path=st.sampled_from([("POST", "/api/run_now"), ("POST", "/api/schedule")]))
def test_whatever_body_is_sent_is_judged(api: Any, body: bytes, path: tuple[str, str]) -> None:
    """A body is accepted or refused with the field's name; what was accepted can be looked at afterwards."""
    answer = api.ask(*path, raw=body)
    assert answer.status in (201, 202, 400, 404, 409, 422), f"{path} {body!r}: {answer}"
    if answer.status == 422:
        assert answer.body["errors"][0]["detail"]
    if answer.status < 300:
        assert api.ask("GET", answer.headers["location"]).status == 200
    if answer.status == 201:
        assert api.ask("DELETE", answer.headers["location"]).status == 204
