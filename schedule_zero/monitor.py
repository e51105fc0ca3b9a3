"""The thread that watches the governed services: it restarts what ended and marks what answers as ready."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from schedule_zero.governed import Governed
from schedule_zero.governor_base import SERVER, ProcessStatus
from schedule_zero.readiness import Probe, ping_all
from schedule_zero.runtime_file import ServerRuntime
from schedule_zero.security.server_keys import Peers

__all__ = ["Monitor"]

_TIDY = 5.0  # seconds between two rounds of housekeeping

_log = logging.getLogger(__name__)


class Monitor:
    """Looks at every service that ``services()`` answers, ``interval`` seconds apart.

    While a service is starting it looks every ``quick`` seconds, so that being ready is noticed at once.
    :attr:`runtime` is what the running server said of itself; None while it is not ready. :attr:`looked_at` is when
    it looked last, in monotonic seconds.
    """

    def __init__(
        self,
        services: Callable[[], Mapping[str, Governed[Any]]],
        probe: Probe,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        interval: float = 0.05,
        quick: float = 0.01,
        peers: Peers | None = None,
    ) -> None:
        self.runtime: ServerRuntime | None = None
        self.looked_at = time.monotonic()
        self._services = services
        self._probe = probe
        self._peers = peers
        self._tidy_at = 0.0
        self._context = context
        self._interval = interval
        self._quick = quick
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="governor-monitor", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Watch no longer; returns when the thread has ended, or after ``timeout`` seconds."""
        self._ended.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = self._quick
        while not self._ended.wait(pause):
            try:
                pause = self._quick if self._look() else self._interval
            except Exception:  # noqa: BLE001 - a governor that stops watching is worse than any one error
                _log.exception("the monitor met an unexpected error and goes on")
                pause = self._interval

    def _look(self) -> bool:
        """One look at everything; True while something runs that has not answered yet."""
        services = self._services()
        now = time.monotonic()
        self.looked_at = now
        for service in services.values():
            service.attend(now)
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY
            for service in services.values():
                service.process.tidy()
        starting = [one for one in services.values() if one.status is ProcessStatus.RUNNING and not one.ready]
        if not starting:
            return False
        server = services[SERVER]
        if not server.ready:
            self._look_at_server(server)
        if server.ready and self.runtime is not None:
            self._look_at_handlers([one for one in starting if one.name != SERVER], self.runtime)
        return True

    def _look_at_server(self, server: Governed[Any]) -> None:
        life = server.process.incarnation
        self.runtime = self._probe.server_runtime(server)
        if self.runtime is None:
            return
        answers = ping_all(self._context, {SERVER: self.runtime.registration_address}, 0.3, self._peers)
        if answers[SERVER]:
            _mark_ready(server, life)

    def _look_at_handlers(self, handlers: list[Governed[Any]], runtime: ServerRuntime) -> None:
        if not handlers:
            return
        lives = {one.name: one.process.incarnation for one in handlers}
        registered = self._probe.registered(handlers, runtime)
        addresses = {one.name: one.launch.address for one in registered if one.launch}
        for name, well in ping_all(self._context, addresses, 0.3, self._peers).items() if addresses else ():
            if well:
                _mark_ready(next(one for one in registered if one.name == name), lives[name])


def _mark_ready(service: Governed[Any], life: int | None) -> None:
    """Mark the life that answered, unless another has taken its place since."""
    with service.busy:
        process = service.process
        if life is not None and process.incarnation == life and service.status is ProcessStatus.RUNNING:
            service.ready = True
            _log.info("%s: %s is ready after %.2f s", service.name, process.label, process.uptime())
