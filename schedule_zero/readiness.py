"""Whether server and handlers answer: asked by the same wire as everybody uses."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import zmq

from schedule_zero import wire
from schedule_zero.errors import HandlerUnavailable, ProtocolError
from schedule_zero.governed import Governed
from schedule_zero.governor_base import ProcessInfo, ProcessStatus
from schedule_zero.ports import reachable
from schedule_zero.runtime_file import ServerRuntime, read_runtime
from schedule_zero.security.curve import Curve
from schedule_zero.security.server_keys import Peers

__all__ = [
    "Probe",
    "ProcessProbe",
    "connected_handlers",
    "health_of",
    "ping_all",
]


class Probe(Protocol):
    """Tells what services say of themselves, before they are asked by the wire."""

    def server_runtime(self, server: Governed[Any]) -> ServerRuntime | None:
        """The addresses of the running server; None while it does not listen."""

    def registered(self, handlers: list[Governed[Any]], runtime: ServerRuntime) -> list[Governed[Any]]:
        """Those of these handlers whose present lives the server knows."""


class ProcessProbe:
    """Asks processes: the server's by its runtime file, for handlers by the HTTP API."""

    def __init__(self, runtime_path: Path) -> None:
        self._runtime_path = runtime_path

    def server_runtime(self, server: Governed[Any]) -> ServerRuntime | None:
        """What the running server has written."""
        return read_runtime(self._runtime_path, server.process.pid)

    def registered(self, handlers: list[Governed[Any]], runtime: ServerRuntime) -> list[Governed[Any]]:
        """Those that the server lists; one listed for its predecessor is told by the pid."""
        pids = {one.name: one.process.pid for one in handlers}
        listed = connected_handlers(runtime.http_url, token=runtime.token)
        return [one for one in handlers if one.name in listed and listed[one.name] in (None, pids[one.name])]


def ping_all(
    context: zmq.Context[zmq.Socket[bytes]],
    addresses: Mapping[str, str],
    timeout: float,
    peers: Peers | None = None,
) -> dict[str, bool]:
    """Ping every address at once; who answered well within ``timeout`` seconds, under the names given.

    One thread asks all of them: every request is sent before the first reply is waited for. ``peers`` knows by which
    keys they are recognised.
    """
    answers = dict.fromkeys(addresses, False)
    waiting: dict[zmq.Socket[bytes], str] = {}
    opened: list[zmq.Socket[bytes]] = []
    poller = zmq.Poller()
    try:
        for name, address in addresses.items():
            try:
                secure = None if peers is None else peers.secure(name)
            except HandlerUnavailable:
                continue  # without a key it is not to be called, by anybody
            opened.append(_asked(context, address, secure))
            waiting[opened[-1]] = name
            poller.register(opened[-1], zmq.POLLIN)
        deadline = time.monotonic() + timeout
        while waiting and (left := deadline - time.monotonic()) > 0:
            for socket, _ in poller.poll(max(1, int(left * 1000))):
                answers[waiting.pop(socket)] = _is_pong(socket)
                poller.unregister(socket)
    finally:
        for socket in opened:
            socket.close(linger=0)
    return answers


def health_of(infos: Mapping[str, ProcessInfo], timeout: float, peers: Peers | None = None) -> dict[str, bool]:
    """Whether each service answers a ping within ``timeout`` seconds; what is not ready is not asked."""
    health = dict.fromkeys(infos, False)
    addresses = {
        name: info.address
        for name, info in infos.items()
        if info.address is not None and info.ready and info.status is ProcessStatus.RUNNING
    }
    if addresses:
        # A context of its own: the governor may be stopped, and its context ended, at any moment.
        with zmq.Context() as context:
            health |= ping_all(context, addresses, timeout, peers)
    return health


def _asked(context: zmq.Context[zmq.Socket[bytes]], address: str, secure: Curve | None) -> zmq.Socket[bytes]:
    """A REQ socket that has asked ``address`` for a sign of life."""
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    if secure is not None:
        secure.apply(socket)
    socket.connect(address)
    socket.send(wire.encode_request("ping"))
    return socket


def _is_pong(socket: zmq.Socket[bytes]) -> bool:
    try:
        return wire.decode_reply(socket.recv(zmq.NOBLOCK)).success
    except (zmq.ZMQError, ProtocolError):
        return False


def connected_handlers(http_url: str, timeout: float = 0.5, *, token: str = "") -> dict[str, int | None]:
    """The handlers that the server lists as connected, each with its pid; empty when it does not answer."""
    url = urllib.parse.urlsplit(http_url)
    connection = http.client.HTTPConnection(reachable(url.hostname or ""), url.port, timeout=timeout)
    try:
        connection.request("GET", "/api/handlers", headers={"Authorization": f"Bearer {token}"} if token else {})
        listed = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    entries: list[dict[str, Any]] = listed.get("handlers", []) if isinstance(listed, dict) else listed
    return {
        str(entry.get("handler_id") or entry.get("id")): entry.get("pid")
        for entry in entries
        if entry.get("status") == "Connected"
    }
