"""The thread that keeps a mock registered: registers, sends heartbeats, registers again when it is not known.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import zmq

from harness.errors import NeverReady
from harness.mocks.registration import NoAnswer, Refused, RegistrationPeer

_RETRY: Final = 0.2
"""Seconds between attempts to register at a server that does not answer, or refuses."""

_FAREWELL: Final = 0.5
"""Seconds that a goodbye may take; a server that is gone does not hold up a stop."""

_JOIN: Final = 10.0


@dataclass(frozen=True)
class _Register:
    address: str
    server: str


@dataclass(frozen=True)
class _End:
    goodbye: bool


class Announcer:
    """Keeps one handler registered until `end`; `heartbeat` and `timeout` are in seconds.

    Attributes are for reading: `registrations` counts what a server has confirmed, `heartbeats` what it has
    answered well, `refusals` holds the codes of what it refused, `last_problem` is a sentence.
    """

    def __init__(
        self, server: str, handler_id: str, address: str, methods: Sequence[str], *,
        heartbeat: float = 2.0, timeout: float = 2.0, context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.registrations = 0
        self.heartbeats = 0
        self.refusals: list[str] = []
        self.last_problem = "none"
        self.silent = False
        """While True no heartbeat is sent: for the server the handler is gone, though it still answers calls.
        """
        self._peer = RegistrationPeer(server, handler_id, timeout=timeout, context=context)
        self._address = address
        self._methods = tuple(methods)
        self._heartbeat = heartbeat
        self._registered = False
        self._inbox: queue.Queue[_Register | _End] = queue.Queue()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._live, name=f"mock {handler_id} announcer", daemon=True)

    def start(self, times: int = 1) -> None:
        """Begin, and register `times` times."""
        for _ in range(times):
            self.register()
        self._thread.start()

    def register(self, address: str = "", server: str = "") -> None:
        """Register once more; at another address of the handler, or another server, from now on when given."""
        self._inbox.put(_Register(address, server))

    def wait_registered(self, times: int, timeout: float) -> None:
        """Wait until `times` registrations were confirmed in all; raises `NeverReady` after `timeout`
        seconds.
        """
        with self._changed:
            if self._changed.wait_for(lambda: self.registrations >= times, timeout):
                return
            raise NeverReady(
                f"{self._peer.handler_id} waited {timeout:g} s for registration {times} at "
                f"{self._peer.server}; "
                f"confirmed so far: {self.registrations}; last problem: {self.last_problem}"
            )

    def end(self, *, goodbye: bool) -> None:
        """End the thread; with `goodbye` it reports ``offline`` first, if the server answers."""
        self._inbox.put(_End(goodbye))
        self._thread.join(_JOIN)
        if not self._thread.is_alive():
            self._peer.close()

    def _live(self) -> None:
        due = time.monotonic()
        while True:
            try:
                order = self._inbox.get(timeout=max(due - time.monotonic(), 0.0))
            except queue.Empty:
                order = None
            if isinstance(order, _End):
                self._farewell(order.goodbye)
                return
            if order is not None:
                self._address = order.address or self._address
                self._peer.server = order.server or self._peer.server
                self._registered = False
            well = self._beat() if self._registered else self._enrol()
            due = time.monotonic() + (self._heartbeat if well else _RETRY)

    def _enrol(self) -> bool:
        try:
            self._peer.register(self._address, self._methods)
        except (NoAnswer, Refused) as error:
            self._note(error)
            return False
        self._registered = True
        with self._changed:
            self.registrations += 1
            self._changed.notify_all()
        return True

    def _beat(self) -> bool:
        if self.silent:
            return True
        try:
            self._peer.report_status()
        except NoAnswer as error:
            self._note(error)
            return False
        except Refused as error:
            self._note(error)
            # Superseded: another process has the id. A mock gives way to it, as a real handler must.
            self._registered = error.code == "superseded"
            return False
        self.heartbeats += 1
        return True

    def _note(self, error: NoAnswer | Refused) -> None:
        self.last_problem = str(error)
        if isinstance(error, Refused):
            self.refusals.append(error.code)

    def _farewell(self, goodbye: bool) -> None:
        if not goodbye or not self._registered:
            return
        self._peer.timeout = min(self._peer.timeout, _FAREWELL)
        try:
            self._peer.report_status("offline")
        except (NoAnswer, Refused) as error:
            self._note(error)
