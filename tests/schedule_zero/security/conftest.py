"""A folder of keys, and eyes for how a handshake ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from schedule_zero.security.allowed_keys import allow_key
from schedule_zero.security.curve import Curve, protect
from schedule_zero.security.key_files import SERVER, KeyPair, make_pair, write_pair
from schedule_zero.security.zap import Zap

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
