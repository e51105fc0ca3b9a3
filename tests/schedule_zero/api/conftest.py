"""Fixtures for the HTTP API: a server in a thread with a loop of its own, a handler beside it, and a plain
client.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from schedule_zero.server import Server
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler


@dataclass
class Answer:
    """An HTTP answer with its JSON body, if it has one."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes = field(repr=False, default=b"")


class Api:
    """A client of one server that says what it asked when something is wrong."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.worker: Worker

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
        return Answer(response.status, names, json.loads(data) if is_json else None, data)

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
def server() -> Iterator[Server]:
    """A server on the memory store and free ports, in a thread of its own."""
    config = ServiceConfig(store="memory", retry=RetrySettings(base=0.01), stop_timeout=0.5)
    started: list[Server] = []
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        server = Server(config)
        await server.start()
        started.append(server)
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="test server", daemon=True)
    thread.start()
    assert ready.wait(20.0), "the server did not start within 20 s"
    yield started[0]
    loops[0].call_soon_threadsafe(stop.set)
    thread.join(20.0)
    assert not thread.is_alive(), "the server did not stop within 20 s"


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[Api]:
    """A client of the server, with the handler ``h`` registered."""
    client = Api(server.http_port)
    client.worker = Worker("h", server_address=server.service.registration_address)
    with client.worker:
        client.until("/api/handlers", lambda body: any(h["status"] == "Connected" for h in body["handlers"]))
        yield client
