"""A folder of keys, eyes for how a handshake ends, and servers that ask for tokens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from schedule_zero.security.allowed_keys import allow_key
from schedule_zero.security.curve import Curve, protect
from schedule_zero.security.key_files import SERVER, KeyPair, make_pair, write_pair
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.zap import Zap
from schedule_zero.server import Server
from schedule_zero.service_config import ServiceConfig

_ENDS = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "in",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "not understood",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "failed",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of a server, and of a handler `h1` that is allowed."""
    keys = tmp_path / "keys"
    write_pair(keys, SERVER, make_pair())
    pair = make_pair()
    write_pair(keys, "h1", pair)
    allow_key(keys, "h1", pair.public, ("h1",))
    return keys


class Listener:
    """A CURVE socket with or without a ZAP handler, and how strangers fare who knock at it."""

    def __init__(self, accepts: Callable[[str], bool] | None) -> None:
        self.keys = make_pair()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.strangers: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.zap = None if accepts is None else Zap(self.context, accepts)
        if self.zap is not None:
            self.zap.start()
        self.socket = self.context.socket(zmq.ROUTER)
        protect(self.socket, self.keys)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")

    def knock(self, own: KeyPair | None, expects: str | None = None, timeout: float = 10.0) -> str:
        """How the handshake of a client ends: `in`, `refused`, `not understood`, `failed`; `waits` when it does not."""
        client = self.strangers.socket(zmq.DEALER)
        client.linger = 0
        if own is not None:
            Curve(own, expects or self.keys.public).apply(client)
        monitor = client.get_monitor_socket()
        try:
            client.connect(f"tcp://127.0.0.1:{self.port}")
            while monitor.poll(int(timeout * 1000)):
                event: Any = recv_monitor_message(monitor)["event"]
                if event in _ENDS:
                    return _ENDS[event]
                if event == zmq.EVENT_DISCONNECTED:
                    return "thrown out"
            return "waits"
        finally:
            client.disable_monitor()
            client.close(linger=0)

    def close(self) -> None:
        """Close all."""
        self.socket.close(linger=0)
        if self.zap is not None:
            self.zap.stop()
        self.context.term()
        self.strangers.term()


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[str], bool] | None], Listener]]:
    """Make listeners; they are closed at the end."""
    made: list[Listener] = []

    def make(accepts: Callable[[str], bool] | None) -> Listener:
        made.append(Listener(accepts))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


@dataclass
class Answer:
    """An HTTP answer; `body` is its JSON, if it has any."""

    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """Sends plain HTTP to one server, with exactly the headers that are given."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, verb: str, path: str, body: Any = None, token: str = "", **headers: str) -> Answer:
        """One request over a connection of its own; underscores in names of headers are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        is_json = data and "json" in names.get("content-type", "")
        return Answer(response.status, names, json.loads(data) if is_json else None)


@dataclass
class LiveServer:
    """A server on the memory store in a thread of its own, and a client of it."""

    server: Server
    client: Client


@pytest.fixture(scope="module")
def serve(in_thread: Callable[[ServiceConfig], Any]) -> Callable[[SecuritySettings], LiveServer]:
    """Start servers; they are stopped at the end of the module."""

    def start(settings: SecuritySettings) -> LiveServer:
        config = ServiceConfig(deployment="shop", store="memory", stop_timeout=0.2, security=settings)
        server = in_thread(config).server
        return LiveServer(server, Client(server.http_port))

    return start
