"""The REQ side of a call, made to survive the REQ socket's state machine.

A REQ socket must alternate send and receive. One that has sent and got no answer refuses the next send for ever
(EFSM, pyzmq#1741, libzmq#3495), so after a time-out the socket is thrown away and a new one takes its place.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Final

import zmq

from schedule_zero import barriers, wire
from schedule_zero.client_answers import ClientStats, result_of
from schedule_zero.errors import CallTimeout, Disconnected, ProtocolError
from schedule_zero.outgoing import Call, Calls
from schedule_zero.security.curve import Curve
from schedule_zero.wire import Reply

_SLICE_MS: Final = 50
"""How long one receive waits before it looks whether somebody wants to close the client."""

_CLOSE_LIMIT: Final = 10.0
"""Seconds that `close` waits for a call in another thread to notice; a call notices within one slice."""

_STRAY_LIMIT: Final = 8
"""How many answers to other requests one call puts up with before it blames the peer."""

_RECONNECT_MS: Final = 50
"""How often libzmq tries a peer that is away, so that one that returns is found soon."""


class _Refused(Exception):
    """The socket would not take the request, or would not give the answer: its state is wrong (EFSM) or it is
    gone.
    """

    def __init__(self, error: zmq.ZMQError) -> None:
        super().__init__(f"the socket refused: {error}")
        self.error = error


class ZMQClient:
    """Calls methods of one handler (or of the registration server) over a REQ socket.

    Safe to share between threads: one call at a time, the others wait, and their waiting counts against their
    own time-out. `timeout` is in **milliseconds**. A `context` that is handed in stays the owner's; without
    one, the client makes its own and `terminate` ends it. With `secure` the peer must hold the key that this names,
    and is shown ours; a peer that refuses says nothing, and the call times out.

    Example:
        >>> with ZMQClient("tcp://127.0.0.1:5555", timeout=2000) as client:  # doctest: +SKIP
        ...     client.call("add", {"a": 1, "b": 2})
        3
    """

    def __init__(
        self,
        address: str,
        timeout: int = 30_000,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        *,
        name: str = "",
        secure: Curve | None = None,
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.name = name or address
        self.stats = ClientStats()
        self.incarnation = ""
        """The start of the handler that answered last, or is expected to answer; empty while it is not known."""
        self._secure = secure
        self._owns_context = context is None
        self._context = context
        self._socket: zmq.Socket[bytes] | None = None
        self._receive_ms = _SLICE_MS
        self._lock = threading.Lock()
        self._closing = False
        self._terminated = False
        self._calls = Calls()

    @property
    def connected(self) -> bool:
        """Whether a socket is open. A ZeroMQ connection is made in the background, so the peer may still be
        away.
        """
        return self._socket is not None

    def connect(self) -> None:
        """Open the socket now instead of at the first call; opening it twice is harmless.

        Raises:
            Disconnected: the client was terminated, or ZeroMQ cannot use the address.
        """
        with self._lock:
            if self._socket is None:
                self._open()

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        auto_reconnect: bool = True,
        *,
        timeout: int | None = None,
        request_id: str | None = None,
    ) -> Any:
        """Call `method` and return its result.

        `timeout` (milliseconds) stands in for the client's own; `request_id` names the call, so that a
        repetition under the same id is answered by the handler without running again. Without
        `auto_reconnect` no socket is opened or replaced: after a failure the client stays unconnected until
        `connect`.

        Raises:
            CallTimeout: no answer in time; the call may or may not have run.
            Disconnected: closed, terminated or unreachable.
            ProtocolError: the answer makes no sense, or the parameters are not JSON.
            HandlerUnavailable: the handler did not take the call; it did not run.
            RemoteError: the handler answered with an error.
        """
        reply = self.call_raw(method, params, auto_reconnect, timeout=timeout, request_id=request_id)
        return result_of(method, reply)

    def call_raw(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        auto_reconnect: bool = True,
        *,
        timeout: int | None = None,
        request_id: str | None = None,
    ) -> Reply:
        """Like `call`, and returns the whole reply, also one that says `success: false`."""
        given = self.timeout if timeout is None else timeout
        call = self._calls.make(method, params, given, request_id, auto_reconnect)
        # The plain try first: the one with a time-out is three times as slow, and hardly ever needed.
        if not self._lock.acquire(blocking=False) and not self._lock.acquire(timeout=max(call.limit, 0.0)):
            raise CallTimeout(f"{method} to {self.name}: other calls held the client for all of {call.limit:.3f} s")
        try:
            self.stats.calls += 1
            return self._converse(call)
        finally:
            self._lock.release()

    def ping(self, *, timeout: int | None = None) -> bool:
        """Whether the peer answers a ping within `timeout` milliseconds (the client's own time-out by
        default).
        """
        try:
            reply = self.call_raw("ping", timeout=timeout)
        except (CallTimeout, Disconnected, ProtocolError):
            return False
        return reply.success and "pong" in (reply.extra.get("message"), reply.result)

    def close(self) -> None:
        """Close the socket; a call under way in another thread ends with `Disconnected`.

        A later call (or `connect`) opens a new socket. Closing twice is harmless.

        Raises:
            Disconnected: a call in another thread did not let go of the socket (it is stuck in a barrier).
        """
        self._take_lock_from_callers()
        try:
            self._drop()
        finally:
            self._closing = False
            self._lock.release()

    def terminate(self) -> None:
        """Close for good, and end the context if this client made it. Calls raise `Disconnected` then on."""
        self._terminated = True
        self.close()
        with self._lock:
            context = self._context if self._owns_context else None
            self._context = None
        if context is not None:
            # Does not block: the only socket of this context is closed, with nothing lingering.
            context.term()

    def __enter__(self) -> ZMQClient:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.terminate()

    def __repr__(self) -> str:
        state = "terminated" if self._terminated else "connected" if self.connected else "closed"
        return f"<ZMQClient {self.name} {state}>"

    # Everything below runs with the lock held, except for the taking of the lock itself.

    def _converse(self, call: Call) -> Reply:
        refusals = strays = 0
        while True:
            try:
                reply = self._exchange(call)
            except _Refused as refusal:
                refusals += 1
                if refusals > 1 or not call.auto_reconnect:
                    self._drop()
                    raise Disconnected(f"{call.method} to {self.name}: {refusal}") from refusal.error
                self.stats.efsm_recoveries += 1
                self._recreate_socket(str(refusal))
                continue
            if reply.request_id is None or reply.request_id == call.request_id:
                return reply
            # This REQ's exchange is over, and its answer belongs to another call. The right one cannot follow
            # on the same socket, so ask again under the same id: a handler that ran it answers from memory.
            strays += 1
            self.stats.stray_replies += 1
            self._renew(call, f"got the answer to request {reply.request_id!r}")
            if strays == _STRAY_LIMIT or not call.auto_reconnect:
                raise ProtocolError(f"{call.method} to {self.name}: {strays} answers, all to other requests")

    def _exchange(self, call: Call) -> Reply:
        socket = self._socket_for(call)
        try:
            self._send(socket, call)
            data = self._receive(socket, call)
        except _Refused:
            raise
        except CallTimeout:
            self.stats.timeouts += 1
            self._renew(call, "time-out")
            raise
        except zmq.ContextTerminated as error:
            # The owner of the context waits in term() until this socket is closed.
            self._drop()
            raise Disconnected(f"{call.method} to {self.name}: the ZeroMQ context was ended") from error
        except BaseException:
            # Whatever interrupts an exchange (Ctrl-C too) leaves the REQ waiting for an answer, hence useless.
            self._drop()
            raise
        try:
            reply = wire.decode_reply(data)
        except ProtocolError as error:
            self.stats.protocol_errors += 1
            raise ProtocolError(f"{call.method} to {self.name}: {error}") from error
        if reply.incarnation is not None:
            self.incarnation = reply.incarnation
        return reply

    def _send(self, socket: zmq.Socket[bytes], call: Call) -> None:
        if barriers.listening():
            self._reached("client.before_send", socket, call)
        try:
            socket.send(call.message(), zmq.NOBLOCK)
        except zmq.ContextTerminated:
            raise
        except zmq.ZMQError as error:
            raise _Refused(error) from error
        if barriers.listening():
            self._reached("client.after_send", socket, call)

    def _receive(self, socket: zmq.Socket[bytes], call: Call) -> bytes:
        while True:
            left_ms = (call.deadline - time.monotonic()) * 1000
            wait_ms = _SLICE_MS if left_ms > _SLICE_MS else int(left_ms)
            if wait_ms <= 0:
                # ZeroMQ waits for whole milliseconds. Rounded up they end late; so sleep, then look once more.
                wait_ms = 0
                time.sleep(max(left_ms, 0.0) / 1000)
            if wait_ms != self._receive_ms:
                socket.setsockopt(zmq.RCVTIMEO, wait_ms)
                self._receive_ms = wait_ms
            try:
                return socket.recv()
            except zmq.ContextTerminated:
                raise
            except zmq.Again:
                if self._closing or self._terminated:
                    raise Disconnected(f"{call.method} to {self.name}: the client was closed") from None
                if wait_ms == 0:
                    raise CallTimeout(
                        f"{call.method} to {self.name}: no answer to {call.request_id} in {call.limit:.3f} s"
                    ) from None
            except zmq.ZMQError as error:
                raise _Refused(error) from error

    def _reached(self, name: str, socket: zmq.Socket[bytes], call: Call) -> None:
        barriers.reached(
            name, socket=socket, address=self.address, method=call.method, request_id=call.request_id
        )

    def _socket_for(self, call: Call) -> zmq.Socket[bytes]:
        if self._closing:
            raise Disconnected(f"{call.method} to {self.name}: the client is being closed")
        if self._socket is not None:
            return self._socket
        if not call.auto_reconnect:
            raise Disconnected(
                f"{call.method} to {self.name}: not connected; call connect() or allow auto_reconnect"
            )
        return self._open()

    def _open(self) -> zmq.Socket[bytes]:
        if self._terminated:
            raise Disconnected(f"{self.name}: the client was terminated; make a new one")
        socket: zmq.Socket[bytes] | None = None
        try:
            if self._context is None or (self._owns_context and self._context.closed):
                self._context = zmq.Context()
            socket = self._context.socket(zmq.REQ)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVTIMEO, _SLICE_MS)
            socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
            socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_BYTES)
            if self._secure is not None:
                self._secure.apply(socket)
            socket.connect(self.address)
        except zmq.ZMQError as error:
            if socket is not None:
                socket.close(linger=0)
            raise Disconnected(f"cannot connect to {self.address!r}: {error}") from error
        self._receive_ms = _SLICE_MS
        self._socket = socket
        return socket

    def _renew(self, call: Call, reason: str) -> None:
        if call.auto_reconnect:
            self._recreate_socket(reason)
        else:
            self._drop()

    def _recreate_socket(self, reason: str = "asked for") -> None:
        """Throw the socket away, unsent data included, and connect a new one. The caller holds the lock."""
        self._drop()
        self._open()
        self.stats.recreated += 1
        barriers.reached("client.recovered", address=self.address, reason=reason)

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close(linger=0)

    def _take_lock_from_callers(self) -> None:
        deadline = time.monotonic() + _CLOSE_LIMIT
        while True:
            # Set again each time round: another thread that closes resets it when it is done.
            self._closing = True
            if self._lock.acquire(timeout=_SLICE_MS / 1000):
                return
            if time.monotonic() >= deadline:
                self._closing = False
                raise Disconnected(
                    f"{self.name}: a call in another thread held the socket for {_CLOSE_LIMIT:g} s"
                )
