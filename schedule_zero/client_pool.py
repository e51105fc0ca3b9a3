"""Several REQ clients to one handler, since each of them carries one call at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import zmq

from schedule_zero.errors import HandlerUnavailable
from schedule_zero.security.curve import Curve
from schedule_zero.zmq_client import ZMQClient


class ClientPool:
    """Up to `size` clients of one incarnation of one handler, lent out one by one; thread-safe.

    Clients are made when none is idle, so a handler that gets one call at a time costs one socket. `timeout`
    is in milliseconds; `context` is asked for the ZeroMQ context, which stays its owner's.

    Example:
        >>> with ClientPool("h1", "tcp://127.0.0.1:5555", zmq.Context.instance).borrow(2.0) as client:
        ...     client.call("work")  # doctest: +SKIP
    """

    def __init__(
        self,
        handler_id: str,
        address: str,
        context: Callable[[], zmq.Context[zmq.Socket[bytes]]],
        *,
        size: int = 16,
        timeout: int = 30_000,
        secure: Curve | None = None,
        incarnation: str = "",
    ) -> None:
        self.handler_id = handler_id
        self.address = address
        self._make_context = context
        self._size = size
        self._timeout = timeout
        self.secure = secure
        self._incarnation = incarnation
        self._changed = threading.Condition()
        self._idle: list[ZMQClient] = []
        self._lent: list[ZMQClient] = []
        self._shared: ZMQClient | None = None
        self._closed = False

    @contextlib.contextmanager
    def borrow(self, limit: float) -> Iterator[ZMQClient]:
        """Lend an idle client for the `with` block, waiting up to `limit` seconds for one.

        Raises:
            HandlerUnavailable: all clients stayed in use, or the pool was closed.
        """
        client = self._take(limit)
        try:
            yield client
        finally:
            self._give_back(client)

    def shared(self) -> ZMQClient:
        """The one client that everybody may share; its calls queue behind each other."""
        with self._changed:
            self._refuse_if_closed()
            if self._shared is None:
                self._shared = self._make()
            return self._shared

    def close(self, *, interrupt: bool) -> None:
        """Close all clients. Those that are lent out are closed when they come back, or at once to `interrupt`
        their calls, which then raise `Disconnected`. Borrowers that wait are refused.
        """
        with self._changed:
            self._closed = True
            doomed, self._idle = self._idle, []
            if self._shared is not None:
                doomed.append(self._shared)
                self._shared = None
            if interrupt:
                doomed.extend(self._lent)
            self._changed.notify_all()
        for client in doomed:
            client.terminate()

    @property
    def open_clients(self) -> int:
        """How many clients exist, lent out or not."""
        with self._changed:
            return len(self._idle) + len(self._lent) + (self._shared is not None)

    def _take(self, limit: float) -> ZMQClient:
        deadline = time.monotonic() + limit
        with self._changed:
            while True:
                self._refuse_if_closed()
                # The last one that came back is the one whose connection is certainly warm.
                client = self._idle.pop() if self._idle else None
                if client is None and len(self._lent) < self._size:
                    client = self._make()
                if client is not None:
                    self._lent.append(client)
                    return client
                left = deadline - time.monotonic()
                if left <= 0:
                    raise HandlerUnavailable(
                        f"all {self._size} connections to {self.handler_id!r} were in use for {limit:.3f} s"
                    )
                self._changed.wait(left)

    def _give_back(self, client: ZMQClient) -> None:
        with self._changed:
            self._lent = [other for other in self._lent if other is not client]
            closed = self._closed
            if not closed:
                self._idle.append(client)
                self._changed.notify()
        if closed:
            client.terminate()

    def _make(self) -> ZMQClient:
        context = self._make_context()
        name = f"{self.handler_id} at {self.address}"
        client = ZMQClient(self.address, self._timeout, context, name=name, secure=self.secure)
        client.incarnation = self._incarnation
        return client

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise HandlerUnavailable(f"handler {self.handler_id!r} at {self.address} is gone or was replaced")
