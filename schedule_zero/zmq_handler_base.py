"""The base class of handlers: its public methods can be called by name over ZeroMQ."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
import uuid
from abc import ABC
from collections.abc import Mapping
from typing import Any, Final, Self

import msgspec
import zmq

from schedule_zero.errors import ConfigError
from schedule_zero.handler_calls import CallMemory
from schedule_zero.handler_methods import public_methods
from schedule_zero.handler_registrar import Registrar, RegistrationTiming
from schedule_zero.handler_socket import HandlerSocket, HandlerStats
from schedule_zero.patterns import ID_IN_WORDS
from schedule_zero.requests import Id
from schedule_zero.security.binding import check_handler_binding
from schedule_zero.security.curve import HandlerKeys

logger = logging.getLogger(__name__)

_WILDCARDS: Final = ("0.0.0.0", "*", "::")
_TERM_LIMIT: Final = 2.0
"""Seconds that ending the context may take once all threads have ended: libzmq flushes the last answers."""


class BaseHandler(ABC):  # noqa: B024 - any method a subclass adds is callable, none in particular is required
    """A process's worth of callable methods.

    Every method that a subclass defines without a leading underscore can be called by its name, with the
    parameters as keyword arguments. At most `concurrency` calls run at a time: plain methods in as many threads,
    coroutines in one event loop, without a thread of their own. The others wait for their turn, as long as their
    callers do; a server that knows the handler keeps them until then. `ping` is answered even while all are
    busy. A request id that was seen before is never
    run again: it is joined to the running call or answered from memory (the last `call_memory` answers), also
    when it comes by another connection.

    With a `server_address` the handler registers there, sends a heartbeat every `heartbeat` seconds, and
    registers again when the server was restarted; see `RegistrationTiming` for the pace (`timing`, which may be
    given as a mapping of its fields, and then includes the heartbeat). Several servers that share a store are given
    as one text with commas between: then any of them can call the handler. `port` 0 binds any
    free port; `port` and `address` are the real ones after `start`. `advertise` is the host that callers are
    told, when it is not `host`.

    With `secure` (see `security.server_keys.handler_keys`) nobody but the server can connect, and the server knows
    the handler by its key; each such handler needs a context of its own. Without, `host` must be loopback, unless
    `insecure`.

    Example:
        >>> class Adder(BaseHandler):
        ...     def add(self, a: int, b: int) -> int:
        ...         return a + b
        >>> with Adder("adder") as handler, ZMQClient(handler.address) as client:  # doctest: +SKIP
        ...     client.call("add", {"a": 1, "b": 2})
        3
    """

    def __init__(
        self,
        handler_id: str,
        port: int = 0,
        server_address: str | None = None,
        host: str = "127.0.0.1",
        *,
        concurrency: int = 4,
        heartbeat: float = 2.0,
        call_memory: int = 4096,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        timing: RegistrationTiming | Mapping[str, Any] | None = None,
        advertise: str | None = None,
        secure: HandlerKeys | None = None,
        insecure: bool = False,
    ) -> None:
        _check(handler_id, port, concurrency, call_memory)
        self.handler_id = handler_id
        self.host = host
        self.server_address = server_address
        self.incarnation = ""
        self._wanted_port = port
        self._concurrency = concurrency
        if timing is None:
            timing = RegistrationTiming(heartbeat=heartbeat)
        self._timing = timing if isinstance(timing, RegistrationTiming) else RegistrationTiming.of(timing)
        self._call_memory = call_memory
        self._given_context = context
        self._advertise = advertise
        self._secure = secure
        self._insecure = insecure
        self._lifecycle = threading.Lock()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: HandlerSocket | None = None
        self._registrars: list[Registrar] = []
        self._last_port = port

    @property
    def port(self) -> int:
        """The port that is bound; before `start`, the one that was asked for."""
        return self._last_port

    @property
    def address(self) -> str:
        """Where callers reach this handler."""
        host = self._advertise or (platform.node() if self.host in _WILDCARDS else self.host)
        return f"tcp://{host}:{self.port}"

    @property
    def methods(self) -> list[str]:
        """The names that can be called, in alphabetical order."""
        return list(public_methods(self, BaseHandler))

    @property
    def is_running(self) -> bool:
        """Whether requests are being answered."""
        return self._socket is not None and not self._socket.ended.is_set()

    @property
    def is_registered(self) -> bool:
        """Whether the server is known to know this handler; of several servers, each of them."""
        return bool(self._registrars) and all(one.registered.is_set() for one in self._registrars)

    @property
    def stats(self) -> HandlerStats:
        """Counts since the last start."""
        return self._socket.stats if self._socket is not None else HandlerStats()

    def start(self) -> None:
        """Bind, answer, register; returns when calls are answered. Starting twice is harmless.

        Raises:
            PortTaken: the address is in use.
            ConfigError: the address makes no sense on this machine, or is not safe to listen on.
        """
        with self._lifecycle:
            if self._socket is not None:
                return
            check_handler_binding(self.host, keyed=self._secure is not None, insecure=self._insecure)
            self.incarnation = uuid.uuid4().hex
            context = self._given_context or zmq.Context()
            socket = HandlerSocket(
                self.handler_id,
                self.incarnation,
                context,
                public_methods(self, BaseHandler),
                CallMemory(self._call_memory),
                self._concurrency,
                self._secure,
            )
            try:
                socket.start(self.host, self._wanted_port)
            except BaseException:
                self._end_context(context, [])
                raise
            self._context, self._socket, self._last_port = context, socket, socket.port
            secure = self._secure.registration if self._secure is not None else None
            self._registrars = [
                Registrar(server.strip(), self._registration(), self._timing, context, secure)
                for server in (self.server_address or "").split(",")
                if server.strip()
            ]
            for registrar in self._registrars:
                registrar.start()
            logger.info("handler %s answers at %s", self.handler_id, self.address)

    def run(self) -> None:
        """Start, and return when another thread (or a signal handler's) has called `stop`.

        Raises:
            Exception: what ended the handler, when it was not `stop`; and what `start` raises.
        """
        self.start()
        socket = self._socket
        if socket is None:
            return
        while not socket.ended.wait(1.0):
            pass
        failure = socket.failure
        self.stop()
        if failure is not None:
            raise failure

    def stop(self, timeout: float = 5.0) -> bool:
        """Say farewell to the server, finish the calls under way, close all; stopping twice is harmless.

        Takes at most about `timeout` seconds. Returns whether all calls finished and everything is closed; a
        method that does not return keeps its daemon thread, and the sockets and the context go when it does.
        """
        deadline = time.monotonic() + timeout
        with self._lifecycle:
            socket, registrars, context = self._socket, self._registrars, self._context
            if socket is None or context is None:
                return True
            for registrar in registrars:
                # First of all, so that the servers stop sending work; the rest goes on meanwhile.
                registrar.begin_stop()
            stuck = socket.stop(timeout)
            for registrar in registrars:
                stuck += registrar.stop(max(1.0, deadline - time.monotonic()))
            ended = self._end_context(context, stuck)
            self._socket = self._context = None
            self._registrars = []
            logger.info("handler %s stopped%s", self.handler_id, " with calls unfinished" if stuck else "")
            return ended

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _registration(self) -> dict[str, Any]:
        return {
            "handler_id": self.handler_id,
            "address": self.address,
            "methods": self.methods,
            "incarnation": self.incarnation,
            "pid": os.getpid(),
            "concurrency": self._concurrency,
        }

    def _end_context(
        self, context: zmq.Context[zmq.Socket[bytes]], stuck: list[threading.Thread], limit: float = _TERM_LIMIT
    ) -> bool:
        if self._given_context is not None:
            return not stuck
        # Threads that are stuck in a method still own sockets, and term() waits for these; hence a thread.
        ending = threading.Thread(
            target=_end_after, args=(context, stuck), name=f"{self.handler_id}-end", daemon=True
        )
        ending.start()
        if stuck:
            return False
        ending.join(limit)
        if ending.is_alive():
            logger.error("handler %s: a socket stayed open, so its context did not end", self.handler_id)
        return not ending.is_alive()


def _end_after(context: zmq.Context[zmq.Socket[bytes]], threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()
    context.term()


def _check(handler_id: str, port: int, concurrency: int, call_memory: int) -> None:
    try:
        msgspec.convert(handler_id, Id)
    except msgspec.ValidationError:
        raise ConfigError(f"handler id: expected {ID_IN_WORDS}, found {handler_id!r:.80}") from None
    if not 0 <= port <= 65535:
        raise ConfigError(f"a port lies in 0..65535 (0: any free one), found {port}")
    if call_memory < 1:
        raise ConfigError(f"a handler remembers at least 1 answer, found a call_memory of {call_memory}")
    if concurrency < 1:
        raise ConfigError(f"a handler needs a concurrency of at least 1, found {concurrency}")
