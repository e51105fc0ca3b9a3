"""The thread that watches the governed services: it restarts what ended and marks what answers as ready."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import zmq

from schedule_zero.governed import Governed
from schedule_zero.governor_base import SERVER, ProcessStatus
from schedule_zero.readiness import ServerRuntime, connected_handlers, ping_all, read_runtime

__all__ = ["Monitor"]

_log = logging.getLogger(__name__)


class Monitor:
    """Looks at every service that ``services()`` answers, ``interval`` seconds apart.

    While a service is starting it looks every ``quick`` seconds, so that being ready is noticed at once.
    :attr:`runtime` is what the running server said of itself; None while it is not ready.
    """

    def __init__(
        self,
        services: Callable[[], Mapping[str, Governed]],
        runtime_path: Path,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        interval: float = 0.05,
        quick: float = 0.01,
    ) -> None:
        self.runtime: ServerRuntime | None = None
        self._services = services
        self._runtime_path = runtime_path
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
        for service in services.values():
            service.attend(now)
        starting = [one for one in services.values() if one.status is ProcessStatus.RUNNING and not one.ready]
        if not starting:
            return False
        server = services[SERVER]
        if not server.ready:
            self._look_at_server(server)
        if server.ready and self.runtime is not None:
            self._look_at_handlers([one for one in starting if one.name != SERVER], self.runtime)
        return True

    def _look_at_server(self, server: Governed) -> None:
        pid = server.process.pid
        self.runtime = read_runtime(self._runtime_path, pid)
        if self.runtime is None:
            return
        answers = ping_all(self._context, {SERVER: self.runtime.registration_address}, 0.3)
        if answers[SERVER]:
            _mark_ready(server, pid)

    def _look_at_handlers(self, handlers: list[Governed], runtime: ServerRuntime) -> None:
        if not handlers:
            return
        pids = {one.name: one.process.pid for one in handlers}
        listed = connected_handlers(runtime.http_url)
        # A restarted handler may still be listed for its predecessor: the pid tells them apart.
        registered = [
            one for one in handlers if one.name in listed and listed[one.name] in (None, pids[one.name])
        ]
        addresses = {one.name: one.launch.address for one in registered if one.launch}
        for name, well in ping_all(self._context, addresses, 0.3).items() if addresses else ():
            if well:
                _mark_ready(next(one for one in registered if one.name == name), pids[name])


def _mark_ready(service: Governed, pid: int | None) -> None:
    """Mark the process that answered, unless another has taken its place since."""
    with service.busy:
        if pid is not None and service.process.pid == pid and service.status is ProcessStatus.RUNNING:
            service.ready = True
            _log.info("%s: process %d is ready after %.2f s", service.name, pid, service.process.uptime())
