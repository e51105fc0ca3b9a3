"""A neighbour that nobody wishes for: a worker that sends rubbish to whoever listens, and dies when asked nicely.

For scenarios that show that the others do not notice: ``handlers: {module: …rogue, class: Rogue}``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import zmq

from harness.targets.schedule_zero.worker import Worker

_EVERY = 0.05
"""Seconds between two pieces of rubbish."""
_RUBBISH: tuple[list[bytes], ...] = (
    [b""],
    [b"", b""],
    [b"", b"{"],
    [b"", b"\xff\xfe\x00"],
    [b"", b"[1, 2]"],
    [b"", b'{"method": 7}'],
    [b"", b'{"method": "no_such_method", "params": {}}'],
    [b"", b'{"method": "register", "params": {"handler_id": 5, "address": []}}'],
    [b"", b'{"method": "register", "params": {"handler_id": "", "address": "tcp://nowhere"}}'],
    [b"", b'{"method": "report_status", "params": {"handler_id": "nobody", "status": "dancing"}}'],
    [b"", b'{"method": "ping", "params": ' + b"[" * 2000 + b"]" * 2000 + b"}"],
    [b"", b'{"method": "ping", "params": {"x": "' + b"x" * 300_000 + b'"}}'],
    [b"many", b"frames", b"and", b"no", b"delimiter"],
)


class Rogue(Worker):
    """A worker that also sends malformed requests to the registration server, twenty times a second.

    It begins when it is first told to babble or to rave: by then its neighbours are there, and what becomes of them is
    what a run shows.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._quiet = threading.Event()
        self._talking = threading.Lock()

    def stop(self, *args: Any, **options: Any) -> Any:
        """Fall silent, and stop."""
        self._quiet.set()
        return super().stop(*args, **options)

    def die(self) -> None:
        """End this process in the middle of the call."""
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(5.0)

    def babble(self) -> Any:
        """Answer something that no message can hold."""
        self._begin()
        return {"what": {object(), 1.5}, "nan": float("nan")}

    def rave(self) -> None:
        """Fail in a way that no handler expects."""
        self._begin()
        raise SystemExit(3)

    def _begin(self) -> None:
        if self._talking.acquire(blocking=False):  # once, and never given back
            threading.Thread(target=self._talk, name="rubbish", daemon=True).start()

    def _talk(self) -> None:
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(str(self.server_address))
        try:
            for rubbish in _endless():
                if self._quiet.wait(_EVERY):
                    break
                with contextlib.suppress(zmq.Again):
                    socket.send_multipart(rubbish, zmq.NOBLOCK)
                with contextlib.suppress(zmq.Again):
                    socket.recv_multipart(zmq.NOBLOCK)
        finally:
            socket.close(linger=0)
            context.term()


def _endless() -> Iterator[list[bytes]]:
    return itertools.cycle(_RUBBISH)
