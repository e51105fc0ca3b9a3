"""A handler's ROUTER socket, in the one thread that owns it."""

from __future__ import annotations

import dataclasses
import logging
import math
import queue
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import zmq

from schedule_zero import envelope, wire
from schedule_zero.complaints import Complaints
from schedule_zero.envelope import Parcel
from schedule_zero.errors import ConfigError, PortTaken, ProtocolError, ScheduleZeroError
from schedule_zero.handler_calls import CallMemory, Claim
from schedule_zero.handler_methods import Method
from schedule_zero.handler_workers import Job, Workers
from schedule_zero.security.curve import HandlerKeys, protect
from schedule_zero.security.zap import Zap
from schedule_zero.wire import ErrorCode, Reply, Request
from schedule_zero.zmq_crowd import HANDSHAKE_MS

logger = logging.getLogger(__name__)

_MAX_PENDING: Final = 1024
"""Calls that may run or wait for a worker; beyond, callers are told `unavailable`."""

_MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
"""The same in bytes of their requests; one call alone is always taken."""

_BATCH: Final = 100
_IDLE_MS: Final = 60_000
_START_LIMIT: Final = 10.0
_FLUSH_MS: Final = 200
"""What a closing socket may take to send its last answers; to a peer that does not read, they are lost then."""


@dataclasses.dataclass(slots=True)
class HandlerStats:
    """What a handler has been asked. Every field is a count that only grows."""

    requests: int = 0
    malformed: int = 0
    started: int = 0
    """Requests that were taken, to be run at once or in their turn."""
    expired: int = 0
    """Those of them that were not run, because their callers had waited for their turn for as long as they do."""
    joined: int = 0
    """Repetitions of a request that was running."""
    replayed: int = 0
    """Repetitions that were answered from memory."""
    refused: int = 0
    """Requests turned away: stopping, full, unknown method, reused id."""
    failures: int = 0
    """Defects of this handler's machinery that a request brought to light; the log has their tracebacks."""
    unsent: int = 0
    """Answers to peers that did not read, and were therefore dropped."""


class HandlerSocket:
    """Takes requests, gives them to workers, sends the answers; answers `ping` while all workers are busy.

    `start` returns when the address is bound; `port` and `address` are the real ones. With `secure` only the server
    whose key that names can connect.
    """

    def __init__(
        self,
        handler_id: str,
        incarnation: str,
        context: zmq.Context[zmq.Socket[bytes]],
        methods: Mapping[str, Method],
        memory: CallMemory,
        concurrency: int,
        secure: HandlerKeys | None = None,
    ) -> None:
        self.handler_id = handler_id
        self.incarnation = incarnation
        self.stats = HandlerStats()
        self.port = 0
        self.failure: BaseException | None = None
        """What ended the thread before it was told to end."""
        self._context = context
        self._methods = methods
        self._memory = memory
        self._secure = secure
        self._zap: Zap | None = None
        self._endpoint = f"inproc://schedule-zero-{incarnation}"
        plain = not all(method.is_coroutine for method in methods.values())
        self._workers = Workers(handler_id, incarnation, concurrency, context, self._endpoint, plain=plain)
        self._outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._complaints = Complaints(logger)
        self._drain_until: float | None = None
        self._thread: threading.Thread | None = None
        self._waker: zmq.Socket[bytes] | None = None
        self.ended = threading.Event()

    def start(self, host: str, port: int) -> None:
        """Bind `tcp://host:port` (0: any free port) and begin to answer.

        Raises:
            PortTaken: the address is in use.
            ConfigError: the address makes no sense on this machine.
        """
        # Made now: at the stop there may be no socket to be had, and the thread would sleep on.
        self._waker = self._context.socket(zmq.PUSH)
        self._waker.connect(self._endpoint)
        self._thread = threading.Thread(
            target=self._run, args=(host, port), name=f"{self.handler_id}-socket", daemon=True
        )
        try:
            self._thread.start()
            self._await_start(host, port)
        except BaseException:
            self._waker.close(linger=0)
            raise

    def _await_start(self, host: str, port: int) -> None:
        try:
            problem = self._outcome.get(timeout=_START_LIMIT)
        except queue.Empty:
            problem = ScheduleZeroError(f"binding {host}:{port} took longer than {_START_LIMIT:.0f} s")
        if problem is not None:
            if self._thread is not None:
                self._thread.join(1.0)
            raise problem

    def stop(self, timeout: float) -> list[threading.Thread]:
        """Take no new calls, let those under way finish for up to `timeout` seconds, close.

        Returns the threads that could not be ended, because the methods in them do not return.
        """
        deadline = time.monotonic() + timeout
        self._drain_until = deadline
        self._wake()
        self.ended.wait(timeout + 1.0)
        stuck = self._workers.stop(max(0.1, deadline - time.monotonic()))
        if self._thread is not None:
            self._thread.join(1.0)
            if self._thread.is_alive():
                stuck.append(self._thread)
        if self._waker is not None:
            self._waker.close(linger=_FLUSH_MS)
        return stuck

    def _wake(self) -> None:
        if self._waker is None or self.ended.is_set():
            return
        try:
            self._waker.send(b"", zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # The thread ends just now, and its PULL is gone: there is nobody to be woken. The error goes to the
            # log as text: whoever keeps the error keeps this frame with its socket.
            logger.debug("handler %s: its socket could not be woken: %s", self.handler_id, str(error))

    # Everything below runs in the socket's thread.

    def _run(self, host: str, port: int) -> None:
        router = pull = None
        try:
            pull = self._context.socket(zmq.PULL)
            pull.setsockopt(zmq.LINGER, 0)
            pull.bind(self._endpoint)
            router = self._context.socket(zmq.ROUTER)
            router.setsockopt(zmq.LINGER, _FLUSH_MS)
            router.setsockopt(zmq.MAXMSGSIZE, wire.MAX_BYTES)
            router.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            self._protect(router)
            self.port = _bind(router, host, port)
            self._workers.start()
            self._outcome.put(None)
            self._serve(router, pull)
        except Exception as error:
            self.failure = error
            self._outcome.put(error)
            if not isinstance(error, (PortTaken, ConfigError)):
                logger.exception("handler %s: its socket failed", self.handler_id)
        finally:
            for socket in (router, pull):
                if socket is not None:
                    socket.close()
            if self._zap is not None:
                self._zap.stop()
            self.ended.set()

    def _protect(self, router: zmq.Socket[bytes]) -> None:
        if self._secure is not None:
            # The ZAP handler first: libzmq refuses whoever comes before it.
            zap = Zap(self._context, self._secure.accepts)
            zap.start()
            self._zap = zap
            protect(router, self._secure.own)

    def _serve(self, router: zmq.Socket[bytes], pull: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(pull, zmq.POLLIN)
        while not self._drained():
            ready = dict(poller.poll(self._patience()))
            if pull in ready:
                self._take_answers(router, pull)
            if router in ready:
                self._take_requests(router)
            self._give_up_late(router)
        # Who asked during the drain's last moments is told so, rather than left to time out.
        self._take_requests(router)
        self._turn_away_waiting(router)

    def _patience(self) -> int:
        until = self._workers.next_expiry()
        if self._drain_until is not None:
            until = min(until, self._drain_until)
        left = (until - time.monotonic()) * 1000
        return _IDLE_MS if left >= _IDLE_MS else max(0, int(left) + 1) if left > 0 else 0

    def _drained(self) -> bool:
        if self._drain_until is None:
            return False
        return self._memory.running == 0 or time.monotonic() >= self._drain_until

    def _turn_away_waiting(self, router: zmq.Socket[bytes]) -> None:
        for job in self._workers.withdraw():
            answer = wire.encode_reply(self._unavailable("is stopping", job.request_id))
            for route in self._memory.withdraw(job.number):
                self._send(router, route, answer)

    def _give_up_late(self, router: zmq.Socket[bytes]) -> None:
        """Tell those whose calls have waited for as long as their callers do that they were not begun.

        Forgotten as if they had never come: whoever asks again, under the same id, is not answered with the past.
        """
        for job in self._workers.expired():
            self.stats.expired += 1
            answer = wire.encode_reply(self._unavailable("is busy, and has not begun the call in time", job.request_id))
            for route in self._memory.withdraw(job.number):
                self._send(router, route, answer)

    def _take_answers(self, router: zmq.Socket[bytes], pull: zmq.Socket[bytes]) -> None:
        for _ in range(_BATCH):
            try:
                frames = pull.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) == 2:
                number, answer = frames
                for route in self._memory.finish(int(number), answer):
                    self._send(router, route, answer)
                self._workers.done(int(number))

    def _take_requests(self, router: zmq.Socket[bytes]) -> None:
        for _ in range(_BATCH):
            try:
                frames = router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.stats.requests += 1
            parcel = envelope.unpack(frames)
            try:
                answer = self._consider(parcel)
            except Exception as error:  # noqa: BLE001 - a defect here must not end the service
                answer = self._broke_off(parcel, error)
            if answer is not None:
                self._send(router, parcel.route, answer)

    def _consider(self, parcel: Parcel) -> bytes | None:
        """The answer, where there is one at once."""
        try:
            if parcel.problem:
                raise ProtocolError(parcel.problem)
            request = wire.decode_request(parcel.payload)
        except ProtocolError as error:
            self.stats.malformed += 1
            self._complaints.say("malformed", "handler %s: a message that is no request: %s", self.handler_id, error)
            request_id = wire.find_request_id(parcel.payload)
            return wire.encode_reply(wire.failure(str(error), ErrorCode.MALFORMED, request_id))
        if request.method == "ping":
            return wire.encode_reply(self._pong(request))
        return self._claim(request, parcel)

    def _broke_off(self, parcel: Parcel, error: Exception) -> bytes:
        self.stats.failures += 1
        text = "handler %s: a request failed"
        self._complaints.say("failure", text, self.handler_id, level=logging.ERROR, exc_info=True)
        message = f"handler {self.handler_id!r} failed: {type(error).__name__}: {error}"
        request_id = wire.find_request_id(parcel.payload)
        return wire.encode_reply(wire.failure(message, ErrorCode.INTERNAL, request_id))

    def _claim(self, request: Request, parcel: Parcel) -> bytes | None:
        decision = self._memory.claim(request.request_id, request.method, parcel.route, len(parcel.payload))
        if decision.claim is Claim.ANSWERED:
            self.stats.replayed += 1
            return decision.answer
        if decision.claim is Claim.JOINED:
            self.stats.joined += 1
            self._workers.prolong(decision.number, _until(request))
            return None
        if decision.claim is Claim.REUSED:
            self.stats.refused += 1
            message = f"request id {request.request_id!r} belongs to an earlier call of another method"
            return wire.encode_reply(wire.failure(message, ErrorCode.ID_REUSED, request.request_id))
        refusal = self._refusal(request)
        if refusal is not None:
            self.stats.refused += 1
            text = "handler %s: a request was refused: %s"
            self._complaints.say(refusal.code or "", text, self.handler_id, refusal.error)
            self._memory.withdraw(decision.number)
            return wire.encode_reply(refusal)
        method = self._methods[request.method]
        job = Job(decision.number, method, request.params or {}, request.request_id, _until(request))
        try:
            self._workers.submit(job)
        except BaseException:
            self._memory.withdraw(decision.number)
            raise
        self.stats.started += 1
        return None

    def _refusal(self, request: Request) -> Reply | None:
        if self._drain_until is not None:
            return self._unavailable("is stopping", request.request_id)
        if request.method not in self._methods:
            known = ", ".join(self._methods) or "none"
            message = f"handler {self.handler_id!r} has no method {request.method!r:.200}; it has: {known}"
            return wire.failure(message, ErrorCode.UNKNOWN_METHOD, request.request_id)
        if self._memory.running > _MAX_PENDING:
            return self._unavailable(f"is full: {_MAX_PENDING} calls wait", request.request_id)
        if self._memory.running > 1 and self._memory.running_bytes > _MAX_PENDING_BYTES:
            return self._unavailable(f"is full: calls of {_MAX_PENDING_BYTES} bytes wait", request.request_id)
        return None

    def _unavailable(self, why: str, request_id: str | None) -> Reply:
        return wire.failure(f"handler {self.handler_id!r} {why}", ErrorCode.UNAVAILABLE, request_id)

    def _pong(self, request: Request) -> Reply:
        extra: dict[str, Any] = {
            "message": "pong",
            "handler_id": self.handler_id,
            "incarnation": self.incarnation,
            "running": self._memory.running,
            "stopping": self._drain_until is not None,
        }
        return Reply(True, request_id=request.request_id, extra=extra)

    def _send(self, router: zmq.Socket[bytes], route: list[bytes], answer: bytes) -> None:
        # A ROUTER drops what is for a peer that has gone; that peer asks again under the same id.
        try:
            router.send_multipart([*route, answer], zmq.NOBLOCK)
        except (zmq.Again, zmq.ContextTerminated):
            self.stats.unsent += 1


def _until(request: Request) -> float:
    """Until when the call may wait to be begun, on the monotonic clock."""
    return math.inf if request.patience is None else time.monotonic() + request.patience / 1000


def _bind(socket: zmq.Socket[bytes], host: str, port: int) -> int:
    try:
        socket.bind(f"tcp://{host}:{port or '*'}")
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise PortTaken(
                f"tcp://{host}:{port} is in use; choose another port, or 0 for any free one"
            ) from error
        raise ConfigError(f"cannot listen on tcp://{host}:{port}: {error}") from error
    endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    match = re.search(r":(\d+)$", endpoint)
    if match is None:
        raise ConfigError(f"cannot tell the port of {endpoint!r}")
    return int(match.group(1))
