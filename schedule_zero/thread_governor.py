"""The governor that runs server and handlers as threads of its own process."""

from __future__ import annotations

import functools
import logging
import os
import threading
from typing import Any

from schedule_zero.awaiting import StartFailed
from schedule_zero.deployment import Deployment
from schedule_zero.governed import Governed
from schedule_zero.governor_base import SERVER, HandlerConfig
from schedule_zero.governor_core import GovernorCore
from schedule_zero.launch import registration_address
from schedule_zero.ports import reachable
from schedule_zero.runtime_file import RUNTIME_FILE, ServerRuntime
from schedule_zero.thread_unit import ThreadLaunch, ThreadUnit, Work
from schedule_zero.thread_work import HandlerWork, ServerWork
from schedule_zero.zmq_handler_base import BaseHandler

__all__ = ["ThreadGovernor"]

_log = logging.getLogger(__name__)


class ThreadGovernor(GovernorCore[ThreadLaunch]):
    """Runs one deployment's server and handlers in threads of this process, and keeps them running.

    It starts sooner and takes less memory than a `ProcessGovernor`, and handlers can be reached as objects
    (:meth:`handler`). The price: everything shares one interpreter, so that a handler that crashes it, or holds its
    global lock, does so to all; a handler's module is imported once, so that a restart does not read it anew; all
    write into one log; and a thread that hangs cannot be killed. Such a thread is given up after the time-out: it is
    told with the place where it hangs, `stop` answers False, :attr:`abandoned` and the metrics count it until it
    ends, and a restarted handler gets another port when the old one is still held. While it is a server's, `start`
    raises StartFailed.

    Parameters are those of `GovernorCore`.

    Example::

        governor = ThreadGovernor("test")
        governor.start()
        governor.stop(timeout=5)
    """

    def __init__(self, deployment: str | Deployment = "default", **options: Any) -> None:
        self._units: dict[str, ThreadUnit] = {}
        super().__init__(deployment, **options)

    def handler(self, handler_id: str) -> BaseHandler | None:
        """The handler itself, while it lives."""
        work = self._work(handler_id)
        return work.handler if isinstance(work, HandlerWork) else None

    @property
    def abandoned(self) -> list[threading.Thread]:
        """Threads that would not end and still live."""
        return [thread for unit in self._units.values() for thread in unit.abandoned]

    def get_metrics(self) -> dict[str, Any]:
        """As of every governor; ``abandoned_threads`` in all, and of each service as its ``usage``."""
        return {**super().get_metrics(), "abandoned_threads": len(self.abandoned)}

    def _unit(self, name: str) -> ThreadUnit:
        # One unit a name for good: a handler that was removed and comes back still has the threads it left.
        return self._units.setdefault(name, ThreadUnit(name))

    def _work(self, name: str) -> Work | None:
        unit = self._units.get(name)
        return None if unit is None else unit.work

    def _prepare(self) -> None:
        # Two servers of one deployment would take each other's jobs for abandoned ones.
        if self._units[SERVER].abandoned:
            raise StartFailed("the server of an earlier start was told to stop and has not ended yet; try again later")
        self._clean_up()  # a governor that was killed has left it

    def _clean_up(self) -> None:
        (self.deployment.directory / RUNTIME_FILE).unlink(missing_ok=True)

    def _server_launch(self) -> ThreadLaunch:
        service = self._running.service
        work = functools.partial(ServerWork, service, os.getpid(), self.deployment.directory)
        return ThreadLaunch(work, registration_address(service))

    def _handler_launch(self, config: HandlerConfig) -> ThreadLaunch:
        service = self._running.service
        if self._units[config.handler_id].abandoned and config.handler_id in self._reservations:
            self._reservations.pop(config.handler_id).release()
        port = self._port(config)
        make = functools.partial(HandlerWork, config, service, port)
        return ThreadLaunch(make, f"tcp://{reachable(service.zmq_host)}:{port}")

    def _probe(self) -> ThreadGovernor:
        return self

    def _nothing_left(self) -> bool:
        if left := self.abandoned:
            names = ", ".join(thread.name for thread in left)
            _log.error("%d threads would not end and are left to themselves: %s", len(left), names)
        return not left

    # --- what the monitor asks (see `Probe`): all of it is in this process

    def server_runtime(self, server: Governed[Any]) -> ServerRuntime | None:
        """Where the server listens; None while it does not."""
        work = self._work(SERVER)
        return work.runtime if isinstance(work, ServerWork) else None

    def registered(self, handlers: list[Governed[Any]], runtime: ServerRuntime) -> list[Governed[Any]]:
        """Those that the server has confirmed."""
        works = ((one, self._work(one.name)) for one in handlers)
        return [one for one, work in works if isinstance(work, HandlerWork) and work.is_registered]
