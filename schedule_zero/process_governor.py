"""The governor that runs server and handlers as processes of their own."""

from __future__ import annotations

from pathlib import Path

from schedule_zero.awaiting import StartFailed
from schedule_zero.deployment_dump import write_deployment
from schedule_zero.deployment_lock import GovernorAlreadyRunning
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.governor_core import GovernorCore
from schedule_zero.launch import ProcessLaunch, environment, handler_command, registration_address, server_command
from schedule_zero.ports import reachable
from schedule_zero.process_manager import ProcessManager
from schedule_zero.readiness import ProcessProbe
from schedule_zero.runtime_file import RUNTIME_FILE

__all__ = ["GovernorAlreadyRunning", "ProcessGovernor", "StartFailed"]


class ProcessGovernor(GovernorCore[ProcessLaunch]):
    """Runs one deployment's server and handlers, each in its own process, and keeps them running.

    Parameters are those of `GovernorCore`. The processes end with the governor, also when that is killed; a log file
    and a pid file a process lie in the deployment's folder.

    Example::

        governor = ProcessGovernor("production")
        governor.start()
        governor.add_handler(HandlerConfig("mail-1", "shop.handlers", "MailHandler"))
        governor.stop(timeout=30)
    """

    @property
    def _runtime_path(self) -> Path:
        return self.deployment.directory / RUNTIME_FILE

    @property
    def _config_path(self) -> Path:
        return self.deployment.directory / "running.json"

    def _unit(self, name: str) -> ProcessManager:
        log_path = self.deployment.logs_dir / f"{name}.log"
        log = self.deployment.service.log
        return ProcessManager(
            name,
            log_path=log_path,
            pid_path=self.deployment.pids_dir / f"{name}.pid",
            log_bytes=log.max_bytes,
            log_kept=log.backups,
        )

    def _prepare(self) -> None:
        self._runtime_path.unlink(missing_ok=True)
        write_deployment(self._running, self._config_path)

    def _server_launch(self) -> ProcessLaunch:
        service = self._running.service
        command = server_command(self._running, self._config_path, self._runtime_path)
        return ProcessLaunch(command, environment(service), registration_address(service))

    def _handler_launch(self, config: HandlerConfig) -> ProcessLaunch:
        service, port = self._running.service, self._port(config)
        command = handler_command(config, service, port)
        return ProcessLaunch(command, environment(service), f"tcp://{reachable(service.zmq_host)}:{port}")

    def _probe(self) -> ProcessProbe:
        return ProcessProbe(self._runtime_path)

    def _clean_up(self) -> None:
        self._runtime_path.unlink(missing_ok=True)
