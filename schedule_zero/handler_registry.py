"""Who can be called: the registered handlers with their heartbeats."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import datetime
import enum
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zmq

from schedule_zero.client_pool import ClientPool
from schedule_zero.errors import HandlerUnavailable, ScheduleZeroError, UnknownHandler
from schedule_zero.registry_file import StoredHandler, load_handlers
from schedule_zero.registry_keeper import RegistryKeeper
from schedule_zero.security.curve import Curve
from schedule_zero.security.server_keys import ServerKeys
from schedule_zero.zmq_client import ZMQClient

logger = logging.getLogger(__name__)

_MAX_HANDLERS: Final = 10_000


class HandlerStatus(enum.StrEnum):
    """Whether a handler has been heard from lately."""

    CONNECTED = "Connected"
    DISCONNECTED = "Disconnected"


class ReportedStatus(enum.StrEnum):
    """What a handler says about itself."""

    ONLINE = "online"
    OFFLINE = "offline"
    """A clean stop: no more calls, please; those that run are being finished."""


class Superseded(ScheduleZeroError):
    """Another live process is registered under the same handler id; the newest registration wins."""


@dataclasses.dataclass(frozen=True, slots=True)
class HandlerRecord:
    """A handler as the registry saw it at one moment.

    `registrations` counts how often it registered; `incarnation` changes with every start of its process.
    `concurrency` is how many calls it runs at once; None if it has not told.
    """

    id: str
    address: str
    methods: tuple[str, ...]
    status: HandlerStatus
    last_seen: datetime.datetime | None
    incarnation: str
    registrations: int
    pid: int | None
    concurrency: int | None = None


@dataclasses.dataclass(slots=True)
class _Entry:
    address: str
    methods: tuple[str, ...]
    incarnation: str
    registrations: int
    pid: int | None
    last_seen: datetime.datetime | None
    heard: float | None = None
    """When, on the monotonic clock, in seconds; None: not since this server started, or it said `offline`."""
    concurrency: int | None = None


class RegistryManager:
    """The live handlers, for any number of threads and event loops at once.

    A handler is Connected while it was heard from within `heartbeat_timeout` seconds. With a `path`,
    registrations are kept in a YAML file, written by a background thread, and are there again (Disconnected
    until heard from) after a restart. `client_timeout` (milliseconds) is the time-out of the clients that it
    hands out, `pool_size` how many calls to one handler may be under way. With `secure` a handler must prove its
    key before it is called. No method waits for the network,
    except `borrow` for a free client and `close`.

    Raises:
        ConfigError: the file cannot be read.

    Example:
        >>> registry = RegistryManager(None)
        >>> registry.register("h1", "tcp://127.0.0.1:5555", ["echo"], incarnation="a").registrations
        1
        >>> [record.id for record in registry.list()]
        ['h1']
        >>> registry.close()
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        heartbeat_timeout: float = 6.0,
        client_timeout: int = 30_000,
        pool_size: int = 16,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        secure: ServerKeys | None = None,
    ) -> None:
        self._secure = secure
        self._heartbeat_timeout = heartbeat_timeout
        self._client_timeout = client_timeout
        self._pool_size = pool_size
        self._owns_context = context is None
        self._context = context
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._pools: dict[str, ClientPool] = {}
        self._closed = False
        self._keeper = RegistryKeeper(path, self._stored)
        self._path = path
        self.load()

    def register(
        self,
        handler_id: str,
        address: str,
        methods: builtins.list[str],
        *,
        incarnation: str = "",
        pid: int | None = None,
        concurrency: int | None = None,
    ) -> HandlerRecord:
        """Take a handler in, in the place of any other with this id; the newest registration wins.

        Calls that wait for an earlier incarnation are interrupted where it must be dead, as their answers will
        not come: it never said `offline`, or its address is the new one's.
        """
        with self._lock:
            old = self._entries.get(handler_id)
            replaced = old is not None and (old.address, old.incarnation) != (address, incarnation)
            pool = self._make_room() if old is None else self._pools.pop(handler_id, None) if replaced else None
            died = (
                old is not None
                and old.incarnation != incarnation
                # Two cannot listen at one address, so a farewell does not mean that the old one is still
                # finishing.
                and (old.heard is not None or old.address == address)
            )
            registrations = old.registrations + 1 if old else 1
            entry = _Entry(address, tuple(methods), incarnation, registrations, pid, None, concurrency=concurrency)
            self._hear(entry)
            self._entries[handler_id] = entry
            record = self._record(handler_id, entry)
        if pool is not None:
            self._keeper.retire(pool, interrupt=died)
        self._keeper.changed()
        return record

    def unregister(self, handler_id: str) -> None:
        """Forget a handler and close the connections to it.

        Raises:
            UnknownHandler: it is not registered.
        """
        with self._lock:
            self._entry(handler_id)
            del self._entries[handler_id]
            pool = self._pools.pop(handler_id, None)
        if pool is not None:
            self._keeper.retire(pool, interrupt=False)
        self._keeper.changed()

    def report_status(
        self, handler_id: str, status: ReportedStatus = ReportedStatus.ONLINE, *, incarnation: str | None = None
    ) -> HandlerRecord:
        """Note a sign of life, or a farewell.

        Raises:
            UnknownHandler: not registered, or registered as another incarnation that is gone: register (again).
            Superseded: another incarnation is registered and alive.
        """
        with self._lock:
            entry = self._entry(handler_id)
            if incarnation is not None and incarnation != entry.incarnation:
                if self._is_connected(entry):
                    raise Superseded(f"handler {handler_id!r} is another process now, at {entry.address}")
                raise UnknownHandler(f"handler {handler_id!r} is not registered as this incarnation")
            self._hear(entry)
            if status == ReportedStatus.OFFLINE:
                entry.heard = None
            return self._record(handler_id, entry)

    def get(self, handler_id: str) -> HandlerRecord:
        """The handler's record.

        Raises:
            UnknownHandler: it is not registered.
        """
        with self._lock:
            return self._record(handler_id, self._entry(handler_id))

    def client(self, handler_id: str) -> ZMQClient:
        """The client of this handler that all share; terminated when the handler goes or moves.

        Raises:
            UnknownHandler: it is not registered.
        """
        return self._pool(handler_id).shared()

    @contextlib.contextmanager
    def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[ZMQClient]:
        """Lend an idle client for the `with` block; waits up to `timeout` seconds (the client time-out by
        default).

        Raises:
            UnknownHandler: it is not registered.
            HandlerUnavailable: all clients stayed in use.
        """
        limit = self._client_timeout / 1000 if timeout is None else timeout
        with self._pool(handler_id).borrow(limit) as client:
            yield client

    def load(self) -> None:
        """Read the file again. Handlers that are already known keep what is known about them.

        Raises:
            ConfigError: the file is not one of ours, or cannot be read. (One of ours that makes no sense is set aside
                and logged.)
        """
        stored = load_handlers(self._path) if self._path is not None else []
        with self._lock:
            for handler in stored[:_MAX_HANDLERS]:
                self._entries.setdefault(handler.id, _restored(handler))

    def save(self) -> None:
        """Write the file now, in this thread.

        Raises:
            OSError: it cannot be written.
        """
        self._keeper.save()

    def close(self, timeout: float = 5.0) -> None:
        """Interrupt the calls under way, close all connections, write what is unwritten; within `timeout`
        seconds.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            pools = builtins.list(self._pools.values())
            self._pools.clear()
            context = self._context if self._owns_context else None
        for pool in pools:
            self._keeper.retire(pool, interrupt=True)
        clean = self._keeper.close(timeout)
        if context is not None:
            if clean:
                context.term()
            else:
                logger.error(
                    "handler connections were still closing after %.1f s; their context stays open", timeout
                )

    def list(self) -> builtins.list[HandlerRecord]:
        """All handlers, in the order of their first registration."""
        with self._lock:
            return [self._record(handler_id, entry) for handler_id, entry in self._entries.items()]

    def __enter__(self) -> RegistryManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pool(self, handler_id: str) -> ClientPool:
        while True:
            with self._lock:
                entry = self._entry(handler_id)
            # Asked each time: a key that was revoked gets no call, also not over a connection that stands. Not under
            # the lock, which the event loop takes as well: the keys are in a file, and a disk may be slow.
            secure = self._secure.to_handler(handler_id) if self._secure is not None else None
            pool = self._pool_of(handler_id, entry, secure)
            if pool is not None:
                return pool

    def _pool_of(self, handler_id: str, entry: _Entry, secure: Curve | None) -> ClientPool | None:
        """The pool of that registration; None if the handler has registered anew meanwhile, with other keys perhaps."""
        with self._lock:
            if self._closed:
                raise HandlerUnavailable("the registry is closed")
            if self._entry(handler_id) is not entry:
                return None
            pool = self._pools.get(handler_id)
            if pool is not None and pool.secure == secure:
                return pool
            self._pools[handler_id] = made = ClientPool(
                handler_id,
                entry.address,
                self._shared_context,
                size=self._pool_size,
                timeout=self._client_timeout,
                secure=secure,
                incarnation=entry.incarnation,
            )
        if pool is not None:
            self._keeper.retire(pool, interrupt=False)
        return made

    def _shared_context(self) -> zmq.Context[zmq.Socket[bytes]]:
        with self._lock:
            if self._closed:
                raise HandlerUnavailable("the registry is closed")
            if self._context is None:
                self._context = zmq.Context()
            return self._context

    # Everything below runs with the lock held.

    def _entry(self, handler_id: str) -> _Entry:
        entry = self._entries.get(handler_id)
        if entry is None:
            raise UnknownHandler(f"no handler is registered as {handler_id!r}")
        return entry

    def _is_connected(self, entry: _Entry) -> bool:
        return entry.heard is not None and time.monotonic() - entry.heard <= self._heartbeat_timeout

    def _record(self, handler_id: str, entry: _Entry) -> HandlerRecord:
        status = HandlerStatus.CONNECTED if self._is_connected(entry) else HandlerStatus.DISCONNECTED
        return HandlerRecord(
            handler_id,
            entry.address,
            entry.methods,
            status,
            entry.last_seen,
            entry.incarnation,
            entry.registrations,
            entry.pid,
            entry.concurrency,
        )

    def _hear(self, entry: _Entry) -> None:
        entry.heard = time.monotonic()
        entry.last_seen = datetime.datetime.now(datetime.UTC)

    def _make_room(self) -> ClientPool | None:
        """Forget one handler that is away, if there are too many; returns its connections."""
        if len(self._entries) < _MAX_HANDLERS:
            return None
        for handler_id, entry in self._entries.items():
            if not self._is_connected(entry):
                del self._entries[handler_id]
                return self._pools.pop(handler_id, None)
        raise HandlerUnavailable(f"the registry is full: {_MAX_HANDLERS} handlers are connected")

    def _stored(self) -> builtins.list[StoredHandler]:
        return [
            StoredHandler(
                id=record.id,
                address=record.address,
                methods=[*record.methods],
                incarnation=record.incarnation,
                registrations=record.registrations,
                pid=record.pid,
                last_seen=record.last_seen.isoformat() if record.last_seen else "",
                concurrency=record.concurrency,
            )
            for record in self.list()
        ]


def _restored(handler: StoredHandler) -> _Entry:
    try:
        last_seen = datetime.datetime.fromisoformat(handler.last_seen) if handler.last_seen else None
    except ValueError:
        last_seen = None
    if last_seen is not None and last_seen.tzinfo is None:
        last_seen = None  # nobody can tell when that was, nor compare it with what can be told
    return _Entry(
        handler.address,
        tuple(handler.methods),
        handler.incarnation,
        handler.registrations,
        handler.pid,
        last_seen,
        concurrency=handler.concurrency,
    )
