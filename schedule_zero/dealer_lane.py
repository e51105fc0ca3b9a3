"""One DEALER socket of an asyncio client: what is sent along it, what comes back.

Callbacks on the socket's own futures take the messages in, not a task: there is nothing to cancel, hence nothing
that a cancellation could lose (pyzmq#1925), and closing needs no waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import zmq
import zmq.asyncio

from schedule_zero import wire
from schedule_zero.errors import Disconnected
from schedule_zero.security.curve import Curve

_BATCH: Final = 64
"""Messages taken in before other work of the event loop gets its turn."""

_RECONNECT_MS: Final = 50
"""How often libzmq tries a peer that is away."""

_SPARE: Final = 1000
"""Requests beyond those in flight that may wait for a peer that is away: those of calls that were cancelled."""

OnMessage = Callable[["DealerLane", bytes], None]
OnFailure = Callable[["DealerLane", BaseException], None]


class DealerLane:
    """A DEALER connected to `address`, for at most `limit` calls in flight (one, until `open_gate`).

    `on_message` gets the payload of each message with this lane, `on_failure` the error that ended it.

    Raises:
        Disconnected: ZeroMQ cannot use the address.
    """

    def __init__(
        self,
        context: zmq.asyncio.Context,
        address: str,
        limit: int,
        on_message: OnMessage,
        on_failure: OnFailure,
        secure: Curve | None = None,
    ) -> None:
        self.heard = float("-inf")
        """When, on the monotonic clock in seconds, its owner last found sense in what came."""
        self.ids: dict[str, None] = {}
        """The calls in flight along it, the oldest first."""
        self.turns = asyncio.Semaphore(1)
        self._limit = limit
        self._gate_is_open = limit == 1
        self._closing = False
        self._on_message = on_message
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._socket = _connected(context, address, limit, secure)
        self._take()

    def open_gate(self) -> None:
        """Let as many calls go at once as the limit allows."""
        if not self._gate_is_open:
            self._gate_is_open = True
            for _ in range(self._limit - 1):
                self.turns.release()

    def send(self, data: bytes) -> None:
        """Send one request, after the empty frame that a REP peer expects.

        Raises:
            zmq.ZMQError: the socket is full (`zmq.Again`) or of no use any more.
        """
        # With NOBLOCK the future is done at once, one way or the other.
        cast("asyncio.Future[Any]", self._socket.send_multipart([b"", data], zmq.NOBLOCK)).result()

    def close(self) -> None:
        """Close the socket, unsent requests included. Closing twice is harmless."""
        self._closing = True
        self._socket.close(linger=0)

    def _take(self, done: asyncio.Future[list[bytes]] | None = None) -> None:
        for _ in range(_BATCH):
            if done is not None and not self._deliver(done):
                return
            # Also after a delivery: whoever was told may have closed the lane.
            if self._closing:
                return
            done = asyncio.ensure_future(self._socket.recv_multipart())
            if not done.done():
                done.add_done_callback(self._take)
                return
        self._loop.call_soon(self._take, done)

    def _deliver(self, done: asyncio.Future[list[bytes]]) -> bool:
        if done.cancelled():  # by the closing of the socket
            if not self._closing:
                self._on_failure(self, Disconnected("somebody else closed it"))
            return False
        error = done.exception()
        if error is not None:
            self._on_failure(self, error)
            return False
        # A peer that sends no delimiter, or more frames than one, is answered for by its last frame.
        self._on_message(self, done.result()[-1])
        return True


def _connected(context: zmq.asyncio.Context, address: str, limit: int, secure: Curve | None) -> zmq.asyncio.Socket:
    socket: zmq.asyncio.Socket | None = None
    try:
        socket = context.socket(zmq.DEALER)
        options: dict[int, Any] = {
            zmq.LINGER: 0,
            zmq.RECONNECT_IVL: _RECONNECT_MS,
            zmq.MAXMSGSIZE: wire.MAX_BYTES,
            zmq.SNDHWM: limit + _SPARE,
            # No answer may find a full socket: the ROUTER at the other end would drop it without a word.
            # What can come is bounded by the calls that were sent.
            zmq.RCVHWM: 0,
        }
        for option, value in options.items():
            socket.setsockopt(option, value)
        if secure is not None:
            secure.apply(socket)
        socket.connect(address)
    except zmq.ZMQError as error:
        if socket is not None:
            socket.close(linger=0)
        raise Disconnected(f"cannot connect to {address!r}: {error}") from error
    return socket
