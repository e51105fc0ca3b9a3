"""A way to the PostgreSQL server that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest


class Wire:
    """A way to the server that can be cut, or fall silent, as a network does. Listens on a free TCP port."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._closed = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def silence(self) -> None:
        """Pass nothing on any more, and tell nobody: a partition."""
        self._flows.clear()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._refuses = True
        self._break()

    def restore(self) -> None:
        """Let new connections through again; those that fell silent are gone."""
        self._break()
        self._refuses = False
        self._flows.set()

    def close(self) -> None:
        """End it."""
        self._closed = True
        # Closing alone would not wake who waits in accept().
        self._shut(self._listener)
        self._thread.join(5.0)
        self._listener.close()
        self._flows.set()
        self._break()

    def _break(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                self._shut(end)

    @staticmethod
    def _shut(end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses or self._closed:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._pairs.append((near, far))
            for source, drain in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, drain), daemon=True).start()

    def _pump(self, source: socket.socket, drain: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                drain.sendall(data)
        except OSError:
            pass
        self._shut(drain)
        source.close()


@pytest.fixture
def wire(postgres_server: Any) -> Iterator[Wire]:
    """A way to the server that the test can cut."""
    wire = Wire(postgres_server.socket)
    yield wire
    wire.close()
