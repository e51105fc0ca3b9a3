"""Raw REQ and DEALER callers, so that a mock is judged by the wire and not by our own client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq


class Caller:
    """Sends requests as bytes and reads what comes back; every wait has a deadline."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._sockets: list[zmq.Socket[bytes]] = []

    def socket(self, kind: int, address: str) -> zmq.Socket[bytes]:
        """A connected socket that `close` closes."""
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)
        self._sockets.append(socket)
        return socket

    def call(
        self,
        address: str,
        method: str = "work",
        params: Any = None,
        *,
        request_id: str | None = "r-1",
        timeout: float = 5.0,
    ) -> dict[str, Any] | None:
        """One request on a REQ socket of its own, and the reply; None when none comes within `timeout`
        seconds.
        """
        data = self.raw(address, request(method, params, request_id), timeout=timeout)
        return None if data is None else json.loads(data)

    def raw(self, address: str, data: bytes, *, timeout: float = 5.0) -> bytes | None:
        """The bytes that answer these bytes; None when none come."""
        socket = self.socket(zmq.REQ, address)
        socket.send(data)
        return receive(socket, timeout)

    def close(self) -> None:
        """Close what was opened."""
        for socket in self._sockets:
            socket.close(linger=0)


def request(method: str = "work", params: Any = None, request_id: str | None = "r-1") -> bytes:
    """The bytes of a request."""
    message = {"method": method, "params": params if params is not None else {"n": 1}}
    return json.dumps(message if request_id is None else {**message, "request_id": request_id}).encode()


def receive(socket: zmq.Socket[bytes], timeout: float = 5.0) -> bytes | None:
    """One message, or None after `timeout` seconds."""
    return socket.recv() if socket.poll(int(timeout * 1000)) else None


@pytest.fixture
def caller() -> Iterator[Caller]:
    """Calls addresses over sockets of its own; its context must end at once, which proves that all are
    closed.
    """
    context = zmq.Context()
    made = Caller(context)
    yield made
    made.close()
    begin = time.monotonic()
    context.term()
    assert time.monotonic() - begin < 2.0


@pytest.fixture
def make_request() -> Any:
    """The function that makes the bytes of a request."""
    return request


@pytest.fixture
def receive_from() -> Any:
    """The function that receives one message with a deadline."""
    return receive
