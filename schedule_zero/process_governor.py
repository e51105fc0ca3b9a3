"""The governor that runs server and handlers as processes of their own."""

from __future__ import annotations

import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from schedule_zero.deployment import Deployment, RestartSettings, check_handler_id, load_deployment
from schedule_zero.deployment_dump import write_deployment
from schedule_zero.deployment_lock import DeploymentLock, GovernorAlreadyRunning
from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.governed import Governed, Launch
from schedule_zero.governor_base import SERVER, GovernorBase, HandlerConfig, ProcessInfo, ProcessStatus
from schedule_zero.launch import environment, handler_command, pinned, registration_address, server_command
from schedule_zero.leftovers import clear_leftovers
from schedule_zero.monitor import Monitor
from schedule_zero.ports import PortReservation, reachable, reserve_port
from schedule_zero.process_manager import ProcessManager
from schedule_zero.readiness import ServerRuntime, ping_all
from schedule_zero.restart_policy import Restarts

__all__ = ["GovernorAlreadyRunning", "ProcessGovernor", "StartFailed"]

_TICK = 0.005  # seconds between two looks at services that are getting ready
_HANDLERS_SHARE = 0.7  # of a stop's time-out, for handlers to drain; the rest is the server's

_log = logging.getLogger(__name__)


class StartFailed(ScheduleZeroError):
    """The server could not be brought up, and nothing is left of it.

    ``exit_code`` is the one that it ended with; None when it did not end by itself.
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _State(enum.Enum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class ProcessGovernor(GovernorBase):
    """Runs one deployment's server and handlers, each in its own process, and keeps them running.

    ``deployment`` is a name to be loaded (from ``root`` and ``config_path``) or one that was made already.
    ``ready_timeout`` (seconds) is how long a started process may take until it answers; ``restart`` replaces
    the deployment's restart settings. Ports configured as 0 are chosen at the start and kept until the stop,
    so that a restarted server or handler is found where it was.

    Example::

        governor = ProcessGovernor("production")
        governor.start()
        governor.add_handler(HandlerConfig("mail-1", "shop.handlers", "MailHandler"))
        governor.stop(timeout=30)
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
        self._lock = DeploymentLock(self.deployment.directory / "governor.lock", self.deployment.name)
        self._configs = {config.handler_id: config for config in self.deployment.handlers}
        self._services = {SERVER: self._service(SERVER, self.deployment.restart)}
        self._services |= {config.handler_id: self._handler(config) for config in self.deployment.handlers}
        self._reservations: dict[str, PortReservation] = {}
        self._running: Deployment = self.deployment
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
            self._halt = False
            self._hurry = False
            self.claim()
            self._state = _State.STARTING
            try:
                clear_leftovers(self.deployment.pids_dir)
                self._launch_all()
                all_ready = self._await_all()
            except BaseException:
                self.stop()
                raise
            self._state = _State.RUNNING
            return all_ready

    def stop(self, timeout: float = 30.0) -> bool:
        """Stop the handlers, then the server; by force what has not stopped within ``timeout`` seconds.

        Any number of threads may call it, also while another starts: all return when everything is down. False
        only when another operation could not be interrupted in time.
        """
        deadline = time.monotonic() + timeout
        self._halt = True
        if not self._lifecycle.acquire(timeout=timeout):
            return False
        try:
            if self._state is not _State.STOPPED:
                self._state = _State.STOPPING
                self._stop_all(deadline, timeout)
                self._state = _State.STOPPED
            self._lock.release()
            return True
        finally:
            self._lifecycle.release()

    def hurry(self) -> None:
        """Make a stop that is going on use force now. Safe in a signal handler."""
        self._hurry = True

    def interrupt(self) -> None:
        """Make a start, or a wait for a handler, that is going on give up. Safe in a signal handler."""
        self._halt = True

    def restart(self, timeout: float = 30.0) -> bool:
        """Stop within ``timeout`` seconds, then start; True when all is ready again."""
        with self._lifecycle:
            return self.stop(timeout) and self.start()

    def _launch_all(self) -> None:
        self._running = self._with_ports()
        config_path = self.deployment.directory / "running.json"
        runtime_path = self.deployment.directory / "server.json"
        runtime_path.unlink(missing_ok=True)
        write_deployment(self._running, config_path)
        service = self._running.service
        command = server_command(self._running, config_path, runtime_path)
        self._started_at = time.monotonic()
        self._services[SERVER].begin(Launch(command, environment(service), registration_address(service)))
        # Handlers register as soon as the server listens: their interpreters start beside its own.
        for config in list(self._configs.values()):
            self._services[config.handler_id].begin(self._handler_launch(config))
        self._context = zmq.Context()
        self._monitor = Monitor(
            lambda: self._services, runtime_path, self._context, interval=self._poll_interval
        )
        self._monitor.start()

    def _await_all(self) -> bool:
        deadline = time.monotonic() + self.ready_timeout
        server = self._services[SERVER]
        while not server.ready:
            self._check_server(server, deadline)
            time.sleep(_TICK)
        handlers = [service for name, service in self._services.items() if name != SERVER]
        return self._await_ready(handlers, deadline)

    def _check_server(self, server: Governed, deadline: float) -> None:
        """Raise StartFailed when waiting for the server has become pointless."""
        if self._halt:
            raise StartFailed(f"{self.deployment.name}: stopped while it was starting")
        if server.status is not ProcessStatus.RUNNING or server.restart_count:
            raise StartFailed(f"the server did not start: {server.last_error}", server.exit_code)
        if time.monotonic() >= deadline:
            said = server.process.last_lines() or "no output"
            raise StartFailed(f"the server has not answered within {self.ready_timeout:g} s: {said}")

    def _await_ready(self, services: list[Governed], deadline: float) -> bool:
        """Whether all get ready; ends early when one of those that are not has ended, or a stop is wanted."""
        while True:
            waiting = [one for one in services if not one.ready]
            if not waiting:
                return True
            hopeless = all(one.status is not ProcessStatus.RUNNING for one in waiting)
            if hopeless or self._halt or time.monotonic() >= deadline:
                for one in waiting:
                    _log.error(
                        "%s is not ready (%s): %s", one.name, one.status, one.last_error or "no answer yet"
                    )
                return False
            time.sleep(_TICK)

    def _stop_all(self, deadline: float, timeout: float) -> None:
        handlers = [service for name, service in self._services.items() if name != SERVER]
        server = self._services[SERVER]
        for handler in handlers:
            handler.retire()
        for handler in handlers:
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
        (self.deployment.directory / "server.json").unlink(missing_ok=True)

    # --- handlers

    def add_handler(self, config: HandlerConfig) -> bool:
        """Govern one more handler; True when it is ready, or while nothing runs (``start`` will).

        The same configuration again is no error; another one under a taken id raises ConfigError.
        """
        with self._lifecycle:
            known = self._configs.get(config.handler_id)
            if known is None:
                self._add(config)
            elif known != config:
                raise ConfigError(
                    f"handler {config.handler_id!r} exists with another configuration; remove it first"
                )
            if self._state is not _State.RUNNING:
                return True
            service = self._services[config.handler_id]
        return self._await_ready([service], time.monotonic() + self.ready_timeout)

    def _add(self, config: HandlerConfig) -> None:
        check_handler_id(config.handler_id)
        service = self._handler(config)
        if self._state is _State.RUNNING:
            service.begin(self._handler_launch(config))
        self._configs[config.handler_id] = config
        # A new table instead of a changed one: the monitor may be walking through the old.
        self._services = {**self._services, config.handler_id: service}

    def remove_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Stop a handler within ``timeout`` seconds and govern it no longer; False when it is unknown."""
        with self._lifecycle:
            service = self._services.get(handler_id)
            if service is None or handler_id == SERVER:
                return False
            self._configs.pop(handler_id)
            self._services = {name: one for name, one in self._services.items() if one is not service}
            reservation = self._reservations.pop(handler_id, None)
            service.retire()
        service.finish(time.monotonic() + timeout)
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
            service.finish(time.monotonic() + timeout, lambda: self._halt)
            # A stop or a removal that began meanwhile waits for `busy`, and must find nothing new after it.
            if self._state is not _State.RUNNING or self._halt or handler_id not in self._configs:
                return False
            service.restart_count += 1
            service.begin(self._handler_launch(config))
        return self._await_ready([service], time.monotonic() + self.ready_timeout)

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
        infos = self.status()
        health = dict.fromkeys(infos, False)
        addresses = {
            name: info.address
            for name, info in infos.items()
            if info.address is not None and info.ready and info.status is ProcessStatus.RUNNING
        }
        if addresses:
            # A context of its own: the governor may be stopped, and its context ended, at any moment.
            with zmq.Context() as context:
                health |= ping_all(context, addresses, timeout)
        return health

    def get_metrics(self) -> dict[str, Any]:
        """Uptime in seconds, totals, and the state of each service; numbers and texts only."""
        infos, health = self.status(), self.health_check()
        return {
            "deployment": self.deployment.name,
            "uptime": time.monotonic() - self._started_at if self.is_running else 0.0,
            "total_services": len(infos),
            "healthy_services": sum(health.values()),
            "restarts": sum(info.restart_count for info in infos.values()),
            "services": {
                name: {**dataclasses.asdict(info), "healthy": health.get(name, False)}
                for name, info in infos.items()
            },
        }

    # --- parts

    def _service(self, name: str, restart: RestartSettings) -> Governed:
        log_path = self.deployment.logs_dir / f"{name}.log"
        process = ProcessManager(name, log_path=log_path, pid_path=self.deployment.pids_dir / f"{name}.pid")
        return Governed(name, process, Restarts(restart))

    def _handler(self, config: HandlerConfig) -> Governed:
        usual = self.deployment.restart
        settings = dataclasses.replace(
            usual,
            max_restarts=config.max_restarts if config.auto_restart else 0,
            restart_delay=config.restart_delay,
        )
        return self._service(config.handler_id, settings)

    def _handler_launch(self, config: HandlerConfig) -> Launch:
        service = self._running.service
        port = config.port or self._reserved(config.handler_id, service.zmq_host)
        command = handler_command(config, service, port)
        return Launch(command, environment(service), f"tcp://{reachable(service.zmq_host)}:{port}")

    def _with_ports(self) -> Deployment:
        service = self.deployment.service
        http_port = service.http_port or self._reserved("server:http", service.http_host)
        zmq_port = service.zmq_port or self._reserved(SERVER, service.zmq_host)
        return pinned(self.deployment, http_port, zmq_port)

    def _reserved(self, name: str, host: str, reserve: Callable[[str], PortReservation] = reserve_port) -> int:
        if name not in self._reservations:
            self._reservations[name] = reserve(host)
        return self._reservations[name].port
