"""Speaking with a registration server byte by byte, without the scheduler's own client."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import zmq

from harness.errors import HarnessError

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class NoAnswer(HarnessError):
    """The registration server did not answer in time; names it, the method, and the time-out."""


class Refused(HarnessError):
    """The registration server answered ``success: false``; `code` is the reply's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RegistrationPeer:
    """One handler as its registration server sees it: registers, reports, unregisters. For one thread.

    Each request has a REQ socket of its own, so that a lost reply never blocks the next request. `timeout` is
    in seconds.

    Example:
        >>> from harness.mocks.mock_registration import MockRegistrationServer
        >>> with MockRegistrationServer() as server, RegistrationPeer(server.address, "h1") as peer:
        ...     peer.register("tcp://127.0.0.1:5555", ["work"])["registered"]
        True
    """

    def __init__(
        self, server: str, handler_id: str, *, timeout: float = 2.0,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.server = server
        self.handler_id = handler_id
        self.incarnation = uuid.uuid4().hex
        self.timeout = timeout
        self._owns_context = context is None
        self._context = zmq.Context() if context is None else context
        self._ids = itertools.count(1)

    def register(self, address: str, methods: Sequence[str] = ()) -> Mapping[str, Any]:
        """Register under this handler id and return the result. Raises `NoAnswer` and `Refused`, as all
        requests do.
        """
        return self._result("register", {
            "handler_id": self.handler_id, "address": address, "methods": list(methods),
            "incarnation": self.incarnation, "pid": os.getpid(),
        })  # fmt: skip

    def report_status(self, status: str = "online") -> Mapping[str, Any]:
        """Send a heartbeat, or ``offline``."""
        params = {"handler_id": self.handler_id, "status": status, "incarnation": self.incarnation}
        return self._result("report_status", params)

    def unregister(self) -> Mapping[str, Any]:
        """Be forgotten."""
        return self._result("unregister", {"handler_id": self.handler_id, "incarnation": self.incarnation})

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Any request, and the whole reply. Raises `NoAnswer`."""
        request_id = f"{self.incarnation[:8]}-{next(self._ids)}"
        data = self.exchange(_encode({"method": method, "params": params, "request_id": request_id}), method)
        try:
            return _decode(data)
        except msgspec.MsgspecError as error:
            raise NoAnswer(f"{self.server} answered {method} with no JSON object: {data[:80]!r}") from error

    def exchange(self, data: bytes, what: str = "a message") -> bytes:
        """Send these very bytes and return the bytes of the answer. Raises `NoAnswer` after the time-out."""
        socket = self._context.socket(zmq.REQ)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(self.server)
            socket.send(data)
            deadline = time.monotonic() + self.timeout
            if socket.poll(max(int((deadline - time.monotonic()) * 1000), 0)):
                return socket.recv()
        finally:
            socket.close(linger=0)
        raise NoAnswer(f"{self.server} did not answer {what} of {self.handler_id} within {self.timeout:g} s")

    def close(self) -> None:
        """End the context, if it is this peer's own."""
        if self._owns_context and not self._context.closed:
            self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _result(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        reply = self.request(method, params)
        if reply.get("success") is not True:
            text = f"{self.server} refused {method} of {self.handler_id}: {reply.get('error')}"
            raise Refused(text, str(reply.get("code", "")))
        result = reply.get("result")
        return result if isinstance(result, Mapping) else {}
