"""`MockHandler`: a real ZeroMQ peer that registers like a handler and misbehaves on command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from harness.errors import NeverReady, UsageError
from harness.mocks.announcer import Announcer
from harness.mocks.answers import Behaviour
from harness.mocks.peer import Peer
from harness.mocks.wires import Kind

__all__ = ["MockHandler"]


class MockHandler(Peer):
    """A handler that answers as scripted; without a behaviour it echoes the parameters. A context manager.

    With `register_with` (the address of a registration server) it registers at the start, sends a heartbeat
    every `heartbeat` seconds and registers again when the server does not know it; `start` waits
    `ready_timeout` seconds for the first confirmation (0: not at all) and raises `harness.errors.NeverReady`
    after that. `registrations` is how often it registers at the start: 0 is a handler that is there and never
    says so, 2 one that says it twice. `methods` is what it offers: None answers any, else calls of others are
    refused. Everything else is in `harness.mocks.peer.Peer`.

    Example:
        >>> from harness.mocks.behaviours import Echo, Script, Silent, When
        >>> with MockHandler(behaviour=Script((When(Silent(), last=1),), otherwise=Echo())) as handler:
        ...     handler.calls
        ()
    """

    def __init__(
        self, name: str = "mock", *,
        behaviour: Behaviour | str | Mapping[str, Any] | Sequence[Any] | None = None,
        methods: Sequence[str] | None = None,
        register_with: str | None = None, registrations: int = 1, heartbeat: float = 2.0,
        ready_timeout: float = 5.0,
        host: str = "127.0.0.1", port: int = 0, kind: Kind | str = Kind.ROUTER, seed: int = 0,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        super().__init__(
            name, behaviour=behaviour, methods=methods, host=host, port=port, kind=kind, seed=seed,
            context=context,
        )
        self.register_with = register_with
        self.announcer: Announcer | None = None
        self._registrations = registrations
        self._heartbeat = heartbeat
        self._ready_timeout = ready_timeout

    @property
    def registrations(self) -> int:
        """How many registrations a server has confirmed in this life."""
        return self.announcer.registrations if self.announcer else 0

    def start(self) -> None:
        """Bind, answer, and register. Starting what runs does nothing."""
        with self._lock:
            if self.alive:
                return
            self._leave(goodbye=False)
            super().start()
            if self.register_with is None or self._registrations == 0:
                return
            self.announcer = Announcer(
                # Who answers any method tells none: the server then takes jobs for all.
                self.register_with, self.name, self.address, self.methods or (), heartbeat=self._heartbeat,
                context=self._context,
            )
            self.announcer.start(self._registrations)
        if self._ready_timeout > 0:
            try:
                self.wait_registered(self._registrations, self._ready_timeout)
            except NeverReady:
                self.die()
                raise

    def stop(self) -> None:
        """Report ``offline``, close, and leave nothing behind."""
        with self._lock:
            self._leave(goodbye=True)
            super().stop()

    def die(self) -> None:
        """End as by a kill: no goodbye to the registration server, calls under way are never answered."""
        with self._lock:
            super().die()
            self._leave(goodbye=False)

    def wait_registered(self, times: int = 1, timeout: float = 5.0) -> None:
        """Wait until `times` registrations of this life were confirmed; raises `NeverReady` after `timeout`
        seconds.
        """
        self._announcing().wait_registered(times, timeout)

    def register_again(self, server: str = "", *, timeout: float = 5.0) -> None:
        """Register once more under the same id, at another `server` if given, and wait until it is confirmed.
        """
        announcer = self._announcing()
        wanted = announcer.registrations + 1
        announcer.register(self.address, server)
        announcer.wait_registered(wanted, timeout)

    def move(self, port: int = 0, *, timeout: float = 5.0) -> str:
        """Close the socket, bind another port, register there under the same id; returns the new address.

        The handler lives on (same incarnation); who has the old address talks to nobody.
        """
        with self._lock:
            self._end_life()
            self._port = port
            super().start()
        self.register_again(timeout=timeout)
        return self.address

    def silence_heartbeats(self, on: bool = True) -> None:
        """Send no heartbeats while `on`: for the server the handler is gone, though it still answers calls."""
        self._announcing().silent = on

    def _announcing(self) -> Announcer:
        if self.announcer is None:
            raise UsageError(
                f"the mock {self.name} does not register: give `register_with`, and `registrations` above 0"
            )
        return self.announcer

    def _leave(self, *, goodbye: bool) -> None:
        announcer, self.announcer = self.announcer, None
        if announcer is not None:
            announcer.end(goodbye=goodbye)
