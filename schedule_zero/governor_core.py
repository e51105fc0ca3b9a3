"""The life of a governor, whatever it runs its services in: start, stop, handlers that come and go."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import zmq

from schedule_zero.awaiting import await_ready, await_server
from schedule_zero.deployment import Deployment, RestartSettings, check_handler_id, load_deployment
from schedule_zero.deployment_lock import DeploymentLock
from schedule_zero.errors import ConfigError
from schedule_zero.governed import Governed
from schedule_zero.governor_base import SERVER, GovernorBase, HandlerConfig, ProcessInfo
from schedule_zero.governor_metrics import metrics_of
from schedule_zero.launch import pinned
from schedule_zero.leftovers import clear_leftovers
from schedule_zero.monitor import Monitor
from schedule_zero.ports import PortReservation, reserve_port
from schedule_zero.readiness import Probe, health_of
from schedule_zero.restart_policy import Restarts
from schedule_zero.runtime_file import ServerRuntime
from schedule_zero.security.server_keys import Peers
from schedule_zero.stop_report import write_stop_report
from schedule_zero.trouble import trouble_of
from schedule_zero.unit import Launch, Unit

__all__ = ["GovernorCore"]

L = TypeVar("L", bound=Launch)

_HANDLERS_SHARE = 0.7  # of a stop's time-out, for handlers to drain; the rest is the server's



class _State(enum.Enum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class GovernorCore(GovernorBase, Generic[L]):
    """Everything that governors have in common; what they differ in is below ``parts to be made``.

    ``deployment`` is a name to be loaded (from ``root`` and ``config_path``) or one that was made already.
    ``ready_timeout`` (seconds) is how long a started service may take until it answers; ``restart`` replaces
    the deployment's restart settings. Ports configured as 0 are chosen at the start and kept until the stop,
    so that a restarted server or handler is found where it was.
    """

    def __init__(
        self,
        deployment: str | Deployment = "default",
        *,
        root: Path | str = Path("deployments"),
        config_path: Path | str | None = None,
        ready_timeout: float | None = None,
        restart: RestartSettings | None = None,
        poll_interval: float = 0.05,
    ) -> None:
        loaded = (
            load_deployment(deployment, config_path, root=root) if isinstance(deployment, str) else deployment
        )
        self.deployment = dataclasses.replace(loaded, restart=restart or loaded.restart)
        self.ready_timeout = loaded.ready_timeout if ready_timeout is None else ready_timeout
        self._poll_interval = poll_interval
        self._lifecycle = threading.RLock()
        self._state = _State.STOPPED
        # Plain truth values, no Events: a signal handler sets them, and Event.set() may wait for a lock
        # that the interrupted thread holds.
        self._halt = False
        self._hurry = False
        self._stops: list[float] = []
        self._lock = DeploymentLock(self.deployment.directory / "governor.lock", self.deployment.name)
        self._configs = {config.handler_id: config for config in self.deployment.handlers}
        self._services = {SERVER: self._governed(SERVER, self.deployment.restart)}
        self._services |= {config.handler_id: self._handler(config) for config in self.deployment.handlers}
        self._leaving: list[Governed[L]] = []
        self._reservations: dict[str, PortReservation] = {}
        self._running: Deployment = self.deployment
        self._peers = Peers()
        self._monitor: Monitor | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._started_at = 0.0

    # --- life

    def claim(self) -> None:
        """Take the deployment, so that no other governor can; :meth:`start` does so too, :meth:`stop` gives it back.

        Raises GovernorAlreadyRunning when another governor has it.
        """
        with self._lifecycle:
            if not self._lock.is_held:
                self._lock.acquire()

    def start(self) -> bool:
        """Start the server and all handlers at once; True when all are ready, False when a handler is not.

        Raises GovernorAlreadyRunning when another governor has the deployment, and StartFailed when the server
        does not come up; nothing is left running then.
        """
        with self._lifecycle:
            if self._state is _State.RUNNING:
                return True
            self._hurry = False
            self.claim()
            self._state = _State.STARTING
            try:
                clear_leftovers(self.deployment.pids_dir)
                self._launch_all()
                all_ready = self._await_all()
            except BaseException:
                self._abort()
                raise
            self._state = _State.RUNNING
            return all_ready

    def stop(self, timeout: float = 30.0) -> bool:
        """Stop the handlers, then the server; by force what has not stopped within ``timeout`` seconds.

        Any number of threads may call it, also while another starts: all return when everything is down. False
        when another operation could not be interrupted in time, or a thread could not be ended.
        """
        deadline = time.monotonic() + timeout
        with self._stop_wanted(deadline):
            if not self._lifecycle.acquire(timeout=timeout):
                return False
            try:
                if self._state is not _State.STOPPED:
                    self._state = _State.STOPPING
                    self._stop_all(deadline, timeout)
                    self._state = _State.STOPPED
                self._halt = False
                self._lock.release()
                return self._nothing_left()
            finally:
                self._lifecycle.release()

    @contextlib.contextmanager
    def _stop_wanted(self, deadline: float) -> Iterator[None]:
        # Not a flag that a start resets: a stop that waits for its turn must not be forgotten.
        self._stops.append(deadline)
        try:
            yield
        finally:
            self._stops.remove(deadline)

    def _halted(self) -> bool:
        """Whether a stop is wanted or going on: whatever else goes on gives way."""
        return self._halt or bool(self._stops)

    def _abort(self) -> None:
        """Take down what a failed start has begun, in the time that those give who wait to stop it."""
        by = min(self._stops, default=time.monotonic() + 30.0)
        self.stop(max(0.0, by - time.monotonic()))

    def hurry(self) -> None:
        """Make a stop that is going on use force now. Safe in a signal handler."""
        self._hurry = True

    def interrupt(self) -> None:
        """Make whatever is going on give up, and a start that comes before the next stop. Safe in a signal handler."""
        self._halt = True

    def restart(self, timeout: float = 30.0) -> bool:
        """Stop within ``timeout`` seconds, then start; True when all is ready again."""
        with self._lifecycle:
            return self.stop(timeout) and self.start()

    def _launch_all(self) -> None:
        self._running = self._with_ports()
        self._peers = Peers(self._running.service.security)
        self._context = zmq.Context()
        self._prepare()
        self._started_at = time.monotonic()
        for service in self._services.values():
            service.restart_count = 0
        self._services[SERVER].begin(self._server_launch())
        # Handlers register as soon as the server listens: their interpreters start beside its own.
        for config in list(self._configs.values()):
            self._services[config.handler_id].begin(self._handler_launch(config))
        self._monitor = Monitor(
            lambda: self._services, self._probe(), self._context, interval=self._poll_interval, peers=self._peers
        )
        self._monitor.start()

    def _await_all(self) -> bool:
        deadline = time.monotonic() + self.ready_timeout
        await_server(self._services[SERVER], deadline, self._halted)
        handlers = [service for name, service in self._services.items() if name != SERVER]
        return await_ready(handlers, deadline, self._halted)

    def _stop_all(self, deadline: float, timeout: float) -> None:
        handlers = [service for name, service in self._services.items() if name != SERVER]
        server = self._services[SERVER]
        for handler in handlers:
            handler.retire()
        for handler in [*handlers, *self._leaving]:
            handler.finish(deadline - timeout * (1 - _HANDLERS_SHARE), lambda: self._hurry)
        server.retire()
        server.finish(deadline, lambda: self._hurry)
        if self._monitor is not None:
            self._monitor.stop()
            self._monitor = None
        if self._context is not None:
            self._context.term()
            self._context = None
        for reservation in self._reservations.values():
            reservation.release()
        self._reservations.clear()
        self._clean_up()
        endings = {one.name: one.ending for one in [server, *self._leaving, *handlers] if one.ending is not None}
        write_stop_report(self.deployment.directory, endings)

    # --- handlers

    def add_handler(self, config: HandlerConfig) -> bool:
        """Govern one more handler; True when it is ready, or while nothing runs (``start`` will).

        The same configuration again is no error; another one under a taken id raises ConfigError.
        """
        with self._lifecycle:
            known = self._configs.get(config.handler_id)
            if known is None:
                if not self._add(config):
                    return False
            elif known != config:
                raise ConfigError(
                    f"handler {config.handler_id!r} exists with another configuration; remove it first"
                )
            if self._state is not _State.RUNNING:
                return True
            service = self._services[config.handler_id]
        return await_ready([service], time.monotonic() + self.ready_timeout, self._halted)

    def _add(self, config: HandlerConfig) -> bool:
        check_handler_id(config.handler_id)
        for namesake in [one for one in self._leaving if one.name == config.handler_id]:
            # Its port and its files are needed.
            if not namesake.finish(time.monotonic() + self.ready_timeout, gives_way=self._halted):
                return False
        service = self._handler(config)
        if self._state is _State.RUNNING:
            service.begin(self._handler_launch(config))
        self._configs[config.handler_id] = config
        # A new table instead of a changed one: the monitor may be walking through the old.
        self._services = {**self._services, config.handler_id: service}
        return True

    def remove_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Stop a handler within ``timeout`` seconds and govern it no longer; False when it is unknown."""
        with self._lifecycle:
            service = self._services.get(handler_id)
            if service is None or handler_id == SERVER:
                return False
            self._configs.pop(handler_id)
            self._services = {name: one for name, one in self._services.items() if one is not service}
            reservation = self._reservations.pop(handler_id, None)
            self._leaving = [*self._leaving, service]
            service.retire()
        if not service.finish(time.monotonic() + timeout, gives_way=self._halted):
            with self._lifecycle:  # the stop that it gave way to has it now
                service.finish(time.monotonic())
        self._leaving = [one for one in self._leaving if one is not service]
        if reservation is not None:
            reservation.release()
        return True

    def restart_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Stop a handler within ``timeout`` seconds, then start it; True when ready, False when unknown."""
        service, config = self._services.get(handler_id), self._configs.get(handler_id)
        if service is None or config is None:
            return False
        with service.busy:
            service.retire()
            service.finish(time.monotonic() + timeout, gives_way=self._halted)
            # A stop or a removal that began meanwhile waits for `busy`, and must find nothing new after it.
            if self._state is not _State.RUNNING or self._halted() or handler_id not in self._configs:
                return False
            service.restart_count += 1
            service.begin(self._handler_launch(config))
        return await_ready([service], time.monotonic() + self.ready_timeout, self._halted)

    # --- knowledge

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not been stopped."""
        return self._state is _State.RUNNING

    @property
    def runtime(self) -> ServerRuntime | None:
        """Addresses and pid of the running server; None while there is none that is ready."""
        monitor = self._monitor
        return monitor.runtime if monitor is not None and self._services[SERVER].ready else None

    def status(self) -> dict[str, ProcessInfo]:
        """Every service by name, the server first."""
        return {name: service.info() for name, service in self._services.items()}

    def health_check(self, timeout: float = 1.0) -> dict[str, bool]:
        """Whether each service answers a ping within ``timeout`` seconds; all are asked at once."""
        return health_of(self.status(), timeout, self._peers)

    def get_metrics(self) -> dict[str, Any]:
        """Uptime in seconds, totals, state and cost of each service; numbers and texts only.

        ``usage`` of a service has ``rss`` (bytes), ``cpu`` (seconds) and ``threads`` of its process; ``governor``
        has those of the governor's own.
        """
        uptime = time.monotonic() - self._started_at if self.is_running else 0.0
        usage = {name: service.process.usage() for name, service in self._services.items()}
        return metrics_of(self.deployment.name, uptime, self.status(), self.health_check(), usage)

    def trouble(self) -> str | None:
        """What only a new start of the governor would mend, see `trouble_of`; None while it does its work.

        Takes up to a second.
        """
        if self._state is _State.STOPPED:
            return "it is not running"
        monitor = self._monitor
        if self._state is not _State.RUNNING or monitor is None:
            return None
        return trouble_of(self._services[SERVER], monitor.looked_at, lambda: self.health_check()[SERVER])

    # --- parts

    def _governed(self, name: str, restart: RestartSettings) -> Governed[L]:
        return Governed(name, self._unit(name), Restarts(restart))

    def _handler(self, config: HandlerConfig) -> Governed[L]:
        usual = self.deployment.restart
        settings = dataclasses.replace(
            usual,
            max_restarts=config.max_restarts if config.auto_restart else 0,
            restart_delay=config.restart_delay,
        )
        return self._governed(config.handler_id, settings)

    def _with_ports(self) -> Deployment:
        service = self.deployment.service
        http_port = service.http_port or self._reserved("server:http", service.http_host)
        zmq_port = service.zmq_port or self._reserved(SERVER, service.zmq_host)
        return pinned(self.deployment, http_port, zmq_port)

    def _port(self, config: HandlerConfig) -> int:
        """The port of a handler: its own, or one that is kept for it."""
        return config.port or self._reserved(config.handler_id, self._running.service.zmq_host)

    def _reserved(self, name: str, host: str, reserve: Callable[[str], PortReservation] = reserve_port) -> int:
        if name not in self._reservations:
            self._reservations[name] = reserve(host)
        return self._reservations[name].port

    @property
    def abandoned(self) -> list[threading.Thread]:
        """Threads that would not end and still live; of processes there are none."""
        return []

    # --- parts to be made

    @abstractmethod
    def _unit(self, name: str) -> Unit[L]:
        """What the service of this name runs in."""

    def _prepare(self) -> None:
        """Put in place what services need, with all ports known (``self._running``) and none of them started."""

    @abstractmethod
    def _server_launch(self) -> L:
        """How the server is started."""

    @abstractmethod
    def _handler_launch(self, config: HandlerConfig) -> L:
        """How a handler is started."""

    @abstractmethod
    def _probe(self) -> Probe:
        """Who tells whether services are ready."""

    def _clean_up(self) -> None:
        """Remove what `_prepare` put in place; everything has been stopped."""

    def _nothing_left(self) -> bool:
        """Whether everything that was stopped has in fact ended."""
        return True
