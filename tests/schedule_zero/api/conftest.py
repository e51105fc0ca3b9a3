"""Fixtures for the HTTP API: a server in a thread with a loop of its own, a handler beside it, and a plain client.

The client holds every answer that any test gets against the OpenAPI document.
"""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from schedule_zero.api.openapi import document
from schedule_zero.server import Server
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.storage import Storage
from schedule_zero.zmq_handler_base import BaseHandler

#: Answers that belong to no operation: a verb that is not there, a path that leads nowhere.
OUTSIDE = (404, 405)


def strict_document() -> dict[str, Any]:
    """The document, with every object closed: what an answer says beyond its schema is a fault too."""
    strict = copy.deepcopy(document())
    for schema in strict["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return strict


class Judge:
    """Judges answers; `seen` holds every (path, verb, status) that was judged."""

    def __init__(self) -> None:
        self.document = strict_document()
        self.seen: set[tuple[str, str, int]] = set()
        self._checker = jsonschema.FormatChecker(formats=[])
        self._checker.checks("date-time", raises=ValueError)(_is_instant)
        self._paths = {re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "$"): path for path in self.document["paths"]}

    def validator(self, *place: str) -> jsonschema.Draft202012Validator:
        """A validator of the schema at that place of the document."""
        pointer = "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
        return jsonschema.Draft202012Validator({**self.document, "$ref": pointer}, format_checker=self._checker)

    def check(self, verb: str, target: str, status: int, headers: dict[str, str], body: Any) -> None:
        """Raise AssertionError or ValidationError for an answer that is not as the document has it."""
        path = self._path(target.partition("?")[0])
        operation = self.document["paths"].get(path, {}).get("get" if verb == "HEAD" else verb.lower())
        if operation is None:
            assert status in OUTSIDE or verb == "OPTIONS", f"{verb} {target} is not in the document, and got {status}"
            return
        assert str(status) in operation["responses"], f"{verb} {path} does not declare {status}: {body}"
        place = ["paths", path, "get" if verb == "HEAD" else verb.lower(), "responses", str(status)]
        response = operation["responses"][str(status)]
        if "$ref" in response:
            place = response["$ref"].removeprefix("#/").split("/")
            response = self.document["components"]["responses"][place[-1]]
        self.seen.add((path, place[2] if place[0] == "paths" else verb.lower(), status))
        for name, header in response.get("headers", {}).items():
            assert not header.get("required") or name.lower() in headers, f"{verb} {path} {status} has no {name}"
        if verb == "HEAD" or "content" not in response:
            assert body is None, f"{verb} {path} {status} has a body that is not declared"
            return
        [media] = response["content"]
        assert headers["content-type"].partition(";")[0] == media
        if "json" in media:
            self.validator(*place, "content", media, "schema").validate(body)

    def _path(self, target: str) -> str:
        found = [path for pattern, path in self._paths.items() if pattern.match(target)]
        return min(found, key=lambda path: path.count("{"), default="")


def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass
class Answer:
    """An HTTP answer with its JSON body, if it has one."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes = field(repr=False, default=b"")


class Api:
    """A client of one server that says what it asked when something is wrong."""

    def __init__(self, port: int, judge: Judge) -> None:
        self.port = port
        self.worker: Worker
        self.loop: asyncio.AbstractEventLoop
        self.storage: Storage
        self.judge = judge

    def ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        try:
            content = raw if raw is not None else None if body is None else json.dumps(body).encode()
            connection.request(verb, path, content, headers or {})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        is_json = bool(data) and "json" in names.get("content-type", "")
        decoded = json.loads(data) if is_json else None
        self.judge.check(verb, path, response.status, names, decoded)
        return Answer(response.status, names, decoded, data)

    def write(self, work: Callable[[Any], Any]) -> None:
        """Do something to the server's store, behind its back."""
        asyncio.run_coroutine_threadsafe(self.storage.write(work), self.loop).result(10.0)

    def until(self, path: str, condition: Callable[[Any], Any], timeout: float = 15.0) -> Any:
        """Ask for `path` until the body meets the condition; returns it."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = self.ask("GET", path)
            if answer.status == 200 and condition(answer.body):
                return answer.body
            time.sleep(0.01)
        raise AssertionError(f"GET {path} did not become as expected within {timeout:g} s; last: {answer}")


class Worker(BaseHandler):
    """The handler of the API's tests."""

    def echo(self, text: str = "") -> str:
        """Return the text."""
        return text

    def fail(self) -> None:
        """Raise."""
        raise ValueError("no such luck")


@pytest.fixture(scope="module")
def judge() -> Judge:
    """What holds the answers that `api` gets against the document."""
    return Judge()


@pytest.fixture(scope="module")
def live(in_thread: Callable[[ServiceConfig], Any]) -> Any:
    """A server on the memory store and free ports, in a thread of its own."""
    return in_thread(ServiceConfig(store="memory", retry=RetrySettings(base=0.01), stop_timeout=0.5))


@pytest.fixture(scope="module")
def server(live: Any) -> Server:
    """That server."""
    found: Server = live.server
    return found


@pytest.fixture(scope="module")
def api(live: Any, judge: Judge) -> Iterator[Api]:
    """A client of the server, with the handler ``h`` registered."""
    client = Api(live.server.http_port, judge)
    client.loop, client.storage = live.loop, live.server.service.storage
    client.worker = Worker("h", server_address=live.server.service.registration_address)
    with client.worker:
        client.until("/api/handlers", lambda body: any(h["status"] == "Connected" for h in body["handlers"]))
        yield client
