"""Whether server and handlers answer: asked by the same wire as everybody uses."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from schedule_zero import wire
from schedule_zero.errors import ProtocolError
from schedule_zero.ports import reachable

__all__ = ["ServerRuntime", "connected_handlers", "ping_all", "read_runtime"]


@dataclass(frozen=True)
class ServerRuntime:
    """What a server that is ready says of itself."""

    pid: int
    http_url: str
    registration_address: str


def read_runtime(path: Path, pid: int | None) -> ServerRuntime | None:
    """The runtime file of the server with this pid; None while that one has written none."""
    try:
        data = json.loads(path.read_text("utf-8"))
        runtime = ServerRuntime(int(data["pid"]), str(data["http_url"]), str(data["registration_address"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return runtime if runtime.pid == pid else None


def ping_all(
    context: zmq.Context[zmq.Socket[bytes]], addresses: Mapping[str, str], timeout: float
) -> dict[str, bool]:
    """Ping every address at once; who answered well within ``timeout`` seconds, under the names given.

    One thread asks all of them: every request is sent before the first reply is waited for.
    """
    answers = dict.fromkeys(addresses, False)
    waiting: dict[zmq.Socket[bytes], str] = {}
    opened: list[zmq.Socket[bytes]] = []
    poller = zmq.Poller()
    try:
        for name, address in addresses.items():
            opened.append(_asked(context, address))
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


def _asked(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """A REQ socket that has asked ``address`` for a sign of life."""
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    socket.connect(address)
    socket.send(wire.encode_request("ping"))
    return socket


def _is_pong(socket: zmq.Socket[bytes]) -> bool:
    try:
        return wire.decode_reply(socket.recv(zmq.NOBLOCK)).success
    except (zmq.ZMQError, ProtocolError):
        return False


def connected_handlers(http_url: str, timeout: float = 0.5) -> dict[str, int | None]:
    """The handlers that the server lists as connected, each with its pid; empty when it does not answer."""
    url = urllib.parse.urlsplit(http_url)
    connection = http.client.HTTPConnection(reachable(url.hostname or ""), url.port, timeout=timeout)
    try:
        connection.request("GET", "/api/handlers")
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
