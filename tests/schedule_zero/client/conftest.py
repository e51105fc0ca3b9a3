"""The other end of the wire, with no code of ours."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from schedule_zero import barriers

Respond = Callable[["Peer", list[bytes], dict[str, Any]], None]


class Peer:
    """A ROUTER in a thread, which hands each request to `respond`."""

    def __init__(self, respond: Respond, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.respond = respond
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.address.rsplit(":", 1)[1])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, route: list[bytes], *payload: bytes) -> None:
        """Send frames as they are."""
        self.socket.send_multipart([*route, *payload])

    def answer(self, route: list[bytes], request: dict[str, Any], **changes: Any) -> None:
        """Send the reply that echoes the parameters, with changes."""
        reply = {"success": True, "result": request["params"], "request_id": request["request_id"], **changes}
        self.send(route, json.dumps(reply).encode())

    def ids(self) -> list[str]:
        """The request ids in the order of their arrival."""
        return [request["request_id"] for request in self.requests]

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have come."""
        deadline = time.monotonic() + 5.0
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"the peer saw {len(self.requests)} of {count} requests in 5 s")
            time.sleep(0.005)

    def stop(self) -> None:
        """Close, as a process that ends does."""
        self._ended.set()
        self._thread.join(5.0)
        self.socket.close(linger=0)
        self.context.term()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if self.socket.poll(10):
                *route, payload = self.socket.recv_multipart()
                try:
                    request = json.loads(payload)
                except ValueError:
                    continue  # what a test sent raw, to bring a socket into a wrong state
                self.requests.append(request)
                self.respond(self, route, request)


def echo(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
    """The well-behaved answer."""
    peer.answer(route, request)


@pytest.fixture
def start_peer() -> Iterator[Callable[..., Peer]]:
    """Start peers, and stop what a test left running."""
    peers: list[Peer] = []

    def start(respond: Respond = echo, port: int = 0) -> Peer:
        peer = Peer(respond, port)
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        if not peer.socket.closed:
            peer.stop()


@pytest.fixture
def listen() -> Iterator[Callable[[str, Callable[..., None]], Callable[[], None]]]:
    """Listen at barriers for the length of one test."""
    ends: list[Callable[[], None]] = []

    def start(name: str, listener: Callable[..., None]) -> Callable[[], None]:
        ends.append(barriers.listen(name, listener))
        return ends[-1]

    yield start
    for end in ends:
        end()
