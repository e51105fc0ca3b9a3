"""The command lines of server and handlers, in the interpreter and the environment of the governor."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schedule_zero.deployment import Deployment
from schedule_zero.deployment_dump import child_environment
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.ports import reachable
from schedule_zero.service_config import ServiceConfig

__all__ = [
    "ProcessLaunch",
    "environment",
    "handler_command",
    "pinned",
    "registration_address",
    "registration_addresses",
    "server_command",
]

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""What a supervisor tells the governor alone: were a child to answer, it would speak for the governor."""


@dataclass(frozen=True)
class ProcessLaunch:
    """A command with its environment, and where it will listen."""

    command: list[str]
    env: Mapping[str, str]
    address: str


def server_command(deployment: Deployment, config_path: Path, runtime_path: Path) -> list[str]:
    """The command that runs the server; it reports its addresses in ``runtime_path``.

    ``sys.executable`` is the interpreter of the active environment (Poetry, venv, uv): no ``python`` is
    looked for on PATH, where another one may come first.
    """
    return [
        *(sys.executable, "-m", "schedule_zero.server"),
        *("--deployment", deployment.name),
        *("--config", str(config_path)),
        *("--runtime-file", str(runtime_path)),
    ]


def handler_command(handler: HandlerConfig, service: ServiceConfig, port: int) -> list[str]:
    """The command that runs one handler on ``port``, registering with the service and its peers."""
    command = [
        *(sys.executable, "-m", "schedule_zero.handler"),
        *("--module", handler.module_path),
        *("--class", handler.class_name),
        *("--handler-id", handler.handler_id),
        *("--host", service.zmq_host),
        *("--port", str(port)),
        *("--server", registration_addresses(service)),
    ]
    return [*command, "--config-json", json.dumps(handler.kwargs)] if handler.kwargs else command


def registration_addresses(service: ServiceConfig) -> str:
    """Where handlers register: with the service, and with its peers on the same store; commas between."""
    return ",".join([registration_address(service), *service.peers])


def registration_address(service: ServiceConfig) -> str:
    """Where handlers of this service register."""
    return f"tcp://{reachable(service.zmq_host)}:{service.zmq_port}"


def environment(service: ServiceConfig) -> dict[str, str]:
    """The governor's own environment, and the variables that tell a child which service it belongs to."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**inherited, **child_environment(service)}


def pinned(deployment: Deployment, http_port: int, zmq_port: int) -> Deployment:
    """The deployment with these ports in place of 0: server and handlers agree on them from the start."""
    service = dataclasses.replace(deployment.service, http_port=http_port, zmq_port=zmq_port)
    return dataclasses.replace(deployment, service=service)
