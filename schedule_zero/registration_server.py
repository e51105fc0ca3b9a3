"""Where handlers register: an asyncio ROUTER over the registry."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import re
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import zmq
import zmq.asyncio

from schedule_zero import barriers, envelope, wire
from schedule_zero.complaints import Complaints
from schedule_zero.envelope import Parcel
from schedule_zero.errors import ConfigError, HandlerUnavailable, PortTaken, ProtocolError, UnknownHandler
from schedule_zero.handler_registry import RegistryManager, ReportedStatus, Superseded
from schedule_zero.patterns import ADDRESS, in_words
from schedule_zero.requests import Id
from schedule_zero.security.admission import Admission, NotAdmitted
from schedule_zero.security.binding import check_zmq_binding
from schedule_zero.security.curve import protect
from schedule_zero.security.server_keys import ServerKeys
from schedule_zero.security.zap import Zap
from schedule_zero.wire import ErrorCode, Reply, Request
from schedule_zero.zmq_crowd import HANDSHAKE_MS, ZmqCrowd, most_peers

logger = logging.getLogger(__name__)

_POLL_MS: Final = 60_000
_AFTER_FAILURE: Final = 0.1
_BATCH: Final = 50
"""Requests that are answered before the rest of the event loop gets its turn."""

class _Register(msgspec.Struct):
    handler_id: Id
    address: Annotated[str, msgspec.Meta(pattern=ADDRESS)]
    # None told, none checked: who registers without them takes jobs for any.
    methods: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=1000)] = []
    incarnation: Annotated[str, msgspec.Meta(max_length=200)] = ""
    pid: Annotated[int, msgspec.Meta(ge=0)] | None = None
    # Not told by handlers of an older version.
    concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _Unregister(msgspec.Struct):
    handler_id: Id


class _ReportStatus(msgspec.Struct):
    handler_id: Id
    status: ReportedStatus = ReportedStatus.ONLINE
    incarnation: str | None = None


@dataclasses.dataclass(slots=True)
class RegistrationStats:
    """What the server was asked. Every field is a count that only grows."""

    requests: int = 0
    malformed: int = 0
    refused: int = 0
    """Understood, and answered with an error."""
    strangers: int = 0
    """Connections that were refused for a key that is not allowed."""
    displaced: int = 0
    """Connections that were shut down for a newcomer, as there were too many; see `zmq_crowd`."""
    failures: int = 0
    """Defects of this server that a request brought to light; the log has their tracebacks."""
    unsent: int = 0
    """Answers to peers that did not read, and were therefore dropped."""


class RegistrationServer:
    """Answers `register`, `unregister`, `report_status` and `ping` on `tcp://host:port` (0: any free port).

    Whatever a peer sends, it is answered with an error where that is possible, counted, and survived. Each
    start is a new incarnation, told in every answer, by which handlers notice that they have to register
    again. `heartbeat` (seconds) is the pace at which handlers are asked to report. With `secure` only handlers
    with allowed keys can connect, each for its own ids; without, only this machine's, unless `insecure`.

    Example:
        >>> async def main() -> None:
        ...     registry = RegistryManager()
        ...     async with RegistrationServer(registry, "127.0.0.1", 0) as server:
        ...         print(server.address)  # doctest: +SKIP
    """

    def __init__(
        self,
        registry: RegistryManager,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        context: zmq.asyncio.Context | None = None,
        heartbeat: float = 2.0,
        secure: ServerKeys | None = None,
        insecure: bool = False,
    ) -> None:
        self.incarnation = ""
        self.stats = RegistrationStats()
        self._complaints = Complaints(logger)
        self._registry = registry
        self._host = host
        self._port = port
        self._given_context = context
        self._heartbeat = heartbeat
        self._secure = secure
        self._insecure = insecure
        self._admission = Admission(secure, insecure=insecure)
        self._zap: Zap | None = None
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._crowd: ZmqCrowd | None = None
        self._task: asyncio.Task[None] | None = None
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "register": self._register,
            "unregister": self._unregister,
            "report_status": self._report_status,
        }

    @property
    def port(self) -> int:
        """The port that is bound; before `start`, the one that was asked for."""
        return self._port

    @property
    def address(self) -> str:
        """Where handlers reach this server."""
        return f"tcp://{self._host}:{self._port}"

    @property
    def is_running(self) -> bool:
        """Whether requests are being answered."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Bind and answer. Starting twice is harmless.

        Raises:
            PortTaken: the address is in use.
            ConfigError: the address makes no sense on this machine, or is not safe to listen on.
        """
        if self._task is not None:
            return
        check_zmq_binding(self._host, keyed=self._secure is not None, insecure=self._insecure)
        self.incarnation = uuid.uuid4().hex
        self._context = self._given_context or zmq.asyncio.Context()
        socket = self._context.socket(zmq.ROUTER)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_BYTES)
            socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            self._protect(self._context, socket)
            self._crowd = ZmqCrowd(socket, most_peers(), logger, count=self._count_displaced)
            self._crowd.start(self._context)
            self._port = _bind(socket, self._host, self._port)
        except BaseException:
            await self._disperse()
            socket.close(linger=0)
            self._end_context()
            raise
        self._socket = socket
        self._task = asyncio.create_task(self._serve(socket), name="registration-server")

    def _protect(self, context: zmq.asyncio.Context, socket: zmq.asyncio.Socket) -> None:
        if self._secure is not None:
            # The ZAP handler first: libzmq refuses whoever comes before it.
            self._zap = Zap(context, self._secure.accepts, self._count_stranger)
            self._zap.start()
            protect(socket, self._secure.own)

    def _count_stranger(self) -> None:
        self.stats.strangers += 1

    def _count_displaced(self) -> None:
        self.stats.displaced += 1

    async def stop(self) -> None:
        """Stop answering and close. Stopping twice is harmless; never waits for a peer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._disperse()
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        self._end_context()

    async def _disperse(self) -> None:
        crowd, self._crowd = self._crowd, None
        if crowd is not None:
            await crowd.stop()

    async def __aenter__(self) -> RegistrationServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _end_context(self) -> None:
        context, self._context = self._context, None
        zap, self._zap = self._zap, None
        if zap is not None:
            zap.stop()
        if context is not None and self._given_context is None:
            # Its only socket is closed with nothing lingering, so this does not block the loop.
            context.term()

    async def _serve(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            try:
                # Poll, then receive what is there: cancelling a pending recv() could lose a message. A poll gives the
                # rest of the loop its turn even when it finds something at once.
                if await socket.poll(_POLL_MS):
                    await self._serve_some(socket)
            except zmq.ContextTerminated:
                logger.error(
                    "the registration server's ZeroMQ context was ended; no handler can register any more"
                )
                return
            except Exception:  # noqa: BLE001 - whatever it is, handlers must be able to register
                self.stats.failures += 1
                self._complain("socket", "its socket failed; trying again", level=logging.ERROR, exc_info=True)
                await asyncio.sleep(_AFTER_FAILURE)

    def _complain(self, kind: str, message: str, *values: object, **options: Any) -> None:
        self._complaints.say(kind, "registration server: " + message, *values, **options)

    async def _serve_some(self, socket: zmq.asyncio.Socket) -> None:
        for _ in range(_BATCH):
            try:
                frames, peer = await self._receive(socket)
            except zmq.Again:
                return
            await self._serve_one(socket, frames, peer)

    async def _serve_one(self, socket: zmq.asyncio.Socket, frames: list[bytes], peer: str | None) -> None:
        self.stats.requests += 1
        parcel = envelope.unpack(frames)
        try:
            answer = self._answer(parcel, peer)
        except Exception as error:  # noqa: BLE001 - answered, counted, survived
            self.stats.failures += 1
            self._complain("failure", "a request failed", level=logging.ERROR, exc_info=True)
            message = f"the registration server failed: {type(error).__name__}: {error}"
            request_id = wire.find_request_id(parcel.payload)
            answer = wire.encode_reply(wire.failure(message, ErrorCode.INTERNAL, request_id))
        # A ROUTER drops the answer to a peer that has gone; NOBLOCK keeps one that does not read from holding
        # up the rest.
        try:
            await socket.send_multipart([*parcel.route, answer], zmq.NOBLOCK)
        except zmq.Again:
            self.stats.unsent += 1

    async def _receive(self, socket: zmq.asyncio.Socket) -> tuple[list[bytes], str | None]:
        """A message, and the key that its sender has shown."""
        parts = await socket.recv_multipart(zmq.NOBLOCK, copy=False)
        if self._crowd is not None:
            self._crowd.heard(parts[-1])
        return [part.bytes for part in parts], None if self._secure is None else str(parts[-1].get("User-Id"))

    def _answer(self, parcel: Parcel, peer: str | None) -> bytes:
        try:
            if parcel.problem:
                raise ProtocolError(parcel.problem)
            request = wire.decode_request(parcel.payload)
        except ProtocolError as error:
            self.stats.malformed += 1
            self._complain("malformed", "a message that is no request: %s", error)
            request_id = wire.find_request_id(parcel.payload)
            return wire.encode_reply(wire.failure(str(error), ErrorCode.MALFORMED, request_id))
        barriers.reached("registration.request", method=request.method)
        reply = self._handle(request, peer)
        if not reply.success:
            self.stats.refused += 1
            self._complain(reply.code or "", "%s was refused: %s", request.method[:200], reply.error)
        return wire.encode_reply(reply)

    def _handle(self, request: Request, peer: str | None) -> Reply:
        if request.method == "ping":
            extra = {"message": "pong", "server_incarnation": self.incarnation}
            return Reply(True, request_id=request.request_id, extra=extra)
        method = self._methods.get(request.method)
        if method is None:
            message = f"no method {request.method!r:.200}; there are: ping, {', '.join(self._methods)}"
            return wire.failure(message, ErrorCode.UNKNOWN_METHOD, request.request_id)
        try:
            self._admission.check(request.method, request.params or {}, peer)
            result = {**method(request.params or {}), "server_incarnation": self.incarnation}
        except msgspec.ValidationError as error:
            return wire.failure(f"{request.method}: {in_words(str(error))}", ErrorCode.BAD_PARAMS, request.request_id)
        except NotAdmitted as error:
            return wire.failure(str(error), ErrorCode.NOT_ADMITTED, request.request_id)
        except UnknownHandler as error:
            return wire.failure(str(error), ErrorCode.UNKNOWN_HANDLER, request.request_id)
        except Superseded as error:
            return wire.failure(str(error), ErrorCode.SUPERSEDED, request.request_id)
        except HandlerUnavailable as error:
            return wire.failure(str(error), ErrorCode.UNAVAILABLE, request.request_id)
        return Reply(True, result, request_id=request.request_id)

    def _register(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = msgspec.convert(params, _Register)
        self._admission.check_address(wanted.address)
        self._registry.register(
            wanted.handler_id,
            wanted.address,
            wanted.methods,
            incarnation=wanted.incarnation,
            pid=wanted.pid,
            concurrency=wanted.concurrency,
        )
        return {"registered": True, "heartbeat": self._heartbeat}

    def _unregister(self, params: dict[str, Any]) -> dict[str, Any]:
        self._registry.unregister(msgspec.convert(params, _Unregister).handler_id)
        return {"unregistered": True}

    def _report_status(self, params: dict[str, Any]) -> dict[str, Any]:
        report = msgspec.convert(params, _ReportStatus)
        self._registry.report_status(report.handler_id, report.status, incarnation=report.incarnation)
        return {"known": True}


def _bind(socket: zmq.asyncio.Socket, host: str, port: int) -> int:
    try:
        socket.bind(f"tcp://{host}:{port or '*'}")
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise PortTaken(
                f"tcp://{host}:{port} is in use; choose another port, or 0 for any free one"
            ) from error
        raise ConfigError(f"cannot listen on tcp://{host}:{port}: {error}") from error
    match = re.search(r":(\d+)$", socket.getsockopt_string(zmq.LAST_ENDPOINT))
    if match is None:
        raise ConfigError(f"cannot tell the port that was bound for {host}:{port}")
    return int(match.group(1))
