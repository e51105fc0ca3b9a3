"""`MockRegistrationServer`: the server side of registration, as scripted as a mock handler."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import zmq

from harness.errors import HarnessError
from harness.mocks.answers import Behaviour, Error, result
from harness.mocks.peer import Peer
from harness.mocks.plan import Call, Plan


@dataclass(frozen=True)
class Registered:
    """One handler as the mock server knows it; ``last_seen`` is `time.monotonic`, in seconds."""

    handler_id: str
    address: str
    methods: tuple[str, ...]
    incarnation: str
    last_seen: float
    registrations: int = 1
    heartbeats: int = 0
    status: str = "online"


class KeepsRegistry(Behaviour):
    """Answers `register`, `report_status` and `unregister` as the real server does, and remembers who is
    there.
    """

    def __init__(self, heartbeat: float) -> None:
        self.incarnation = 1
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._handlers: dict[str, Registered] = {}

    def handlers(self) -> dict[str, Registered]:
        """Who is registered right now."""
        with self._lock:
            return dict(self._handlers)

    def forget(self, handler_id: str | None = None) -> None:
        """Forget one handler, or all, as a server that came back without its file."""
        with self._lock:
            if handler_id is None:
                self._handlers.clear()
            else:
                self._handlers.pop(handler_id, None)

    def plan(self, call: Call) -> Plan:
        """The answer to one request."""
        handler_id = call.params.get("handler_id")
        if not isinstance(handler_id, str) or not handler_id:
            return Error("handler_id is missing", "bad_params").plan(call)
        with self._lock:
            if call.method == "register":
                return self._register(handler_id, call)
            if handler_id not in self._handlers:
                return Error(f"no such handler: {handler_id}", "unknown_handler").plan(call)
            if call.method == "report_status":
                return self._report(handler_id, call.params)
            if call.method == "unregister":
                del self._handlers[handler_id]
                return result({"unregistered": True})
        return Error(f"no such method: {call.method}", "unknown_method").plan(call)

    def _register(self, handler_id: str, call: Call) -> Plan:
        address = call.params.get("address")
        if not isinstance(address, str) or not address.startswith("tcp://"):
            return Error("address is missing", "bad_params").plan(call)
        old = self._handlers.get(handler_id)
        self._handlers[handler_id] = Registered(
            handler_id, address, tuple(call.params.get("methods") or ()),
            str(call.params.get("incarnation", "")), time.monotonic(),
            registrations=old.registrations + 1 if old else 1,
        )
        return result({
            "registered": True, "server_incarnation": f"mock-{self.incarnation}", "heartbeat": self._heartbeat,
        })  # fmt: skip

    def _report(self, handler_id: str, params: Mapping[str, Any]) -> Plan:
        old = self._handlers[handler_id]
        status = str(params.get("status", "online"))
        self._handlers[handler_id] = replace(
            old, status=status, heartbeats=old.heartbeats + 1, last_seen=time.monotonic()
        )
        return result({"status": status})


class MockRegistrationServer(Peer):
    """A registration server for handlers under test. It answers like the real one until told to `behave`
    otherwise.

    `registry` is its ordinary behaviour: ``server.behave(Script((When(Silent(), method="register", last=2),),
    otherwise=server.registry))`` loses the first two registrations. `heartbeat` (seconds) is what it tells
    handlers.

    Example:
        >>> with MockRegistrationServer() as server:
        ...     server.handlers
        {}
    """

    def __init__(
        self, name: str = "registration", *, heartbeat: float = 2.0, host: str = "127.0.0.1", port: int = 0,
        seed: int = 0, context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.registry = KeepsRegistry(heartbeat)
        super().__init__(name, behaviour=self.registry, host=host, port=port, seed=seed, context=context)

    @property
    def handlers(self) -> dict[str, Registered]:
        """Who is registered right now, by handler id."""
        return self.registry.handlers()

    def restart(self) -> None:
        """Die and come back on the same port as a new incarnation that knows nobody."""
        self.die()
        self.registry.forget()
        self.registry.incarnation += 1
        self.revive()

    def wait_for_handler(self, handler_id: str, timeout: float = 5.0, *, registrations: int = 1) -> Registered:
        """Wait until the handler has registered that often; raises `WaitedInVain` after `timeout` seconds."""

        def there(_: object) -> bool:
            found = self.handlers.get(handler_id)
            return found is not None and found.registrations >= registrations

        self.wait_until(there, timeout, f"registration {registrations} of {handler_id} at {self.name}")
        found = self.handlers.get(handler_id)
        if found is None:
            raise HarnessError(f"{handler_id} registered at {self.name} and was gone again at once")
        return found
