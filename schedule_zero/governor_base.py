"""The interface of every governor: what it is told, what it answers.

A governor keeps one server and any number of handlers alive.
:class:`~schedule_zero.process_governor.ProcessGovernor` does so with processes; others may use threads or
containers. All operations are idempotent and thread-safe: starting what runs and stopping what is stopped
succeed without doing anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["SERVER", "GovernorBase", "GovernorKind", "HandlerConfig", "ProcessInfo", "ProcessStatus", "RestartPolicy"]

SERVER = "server"
"""The name of the server among the services of a governor; no handler may have it."""


class ProcessStatus(StrEnum):
    """What a managed process is doing."""

    RUNNING = "running"
    STOPPED = "stopped"
    CRASHED = "crashed"
    RESTARTING = "restarting"


class GovernorKind(StrEnum):
    """What a governor runs its services in."""

    PROCESS = "process"
    THREAD = "thread"


class RestartPolicy(StrEnum):
    """When a process that ended by itself is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


class HandlerConfig:
    """One handler to be run: a class in a module, an id, and a port (0: any free one).

    ``max_restarts`` restarts in a row are tried, ``restart_delay`` seconds apart at first;
    ``auto_restart=False`` never restarts it. Further keywords (``kwargs``) are given to the handler's
    constructor and must be JSON values.

    >>> HandlerConfig("h1", "shop.handlers", "MailHandler", 0, sender="me@example.org").kwargs
    {'sender': 'me@example.org'}
    """

    def __init__(
        self,
        handler_id: str,
        module_path: str,
        class_name: str,
        port: int = 0,
        auto_restart: bool = True,
        max_restarts: int = 3,
        restart_delay: float = 5.0,
        **kwargs: Any,
    ) -> None:
        self.handler_id = handler_id
        self.module_path = module_path
        self.class_name = class_name
        self.port = port
        self.auto_restart = auto_restart
        self.max_restarts = max_restarts
        self.restart_delay = restart_delay
        self.kwargs: dict[str, Any] = kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HandlerConfig) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.handler_id, self.module_path, self.class_name, self.port))

    def __repr__(self) -> str:
        return f"HandlerConfig({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


@dataclass(frozen=True)
class ProcessInfo:
    """What is known of one managed process at one moment.

    ``restart_count`` counts the restarts since the governor started; ``last_error`` says how it last ended by
    itself, with its exit code and its last log lines. ``address`` is where it listens (the server: for
    registrations), ``uptime`` the seconds since it was last started, ``ready`` whether it has answered since.
    """

    name: str
    pid: int | None
    status: ProcessStatus
    restart_count: int = 0
    last_error: str | None = None
    exit_code: int | None = None
    address: str | None = None
    uptime: float = 0.0
    ready: bool = False


class GovernorBase(ABC):
    """Starts, watches and stops a server and its handlers."""

    @abstractmethod
    def start(self) -> bool:
        """Start everything; True when all is ready, False when a handler is not (the server always is)."""

    @abstractmethod
    def stop(self, timeout: float = 30.0) -> bool:
        """Stop everything within ``timeout`` seconds, by force at the end; True when nothing is left."""

    def restart(self, timeout: float = 30.0) -> bool:
        """Stop within ``timeout`` seconds, then start; True when all of it is ready again."""
        return self.stop(timeout) and self.start()

    @abstractmethod
    def status(self) -> dict[str, ProcessInfo]:
        """Every service by name: the server under ``server``, handlers under their ids."""

    @abstractmethod
    def add_handler(self, config: HandlerConfig) -> bool:
        """Run one more handler; True when it is ready, or governed and to be started by :meth:`start`."""

    @abstractmethod
    def remove_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Stop a handler within ``timeout`` seconds and forget it; False when it is unknown."""

    @abstractmethod
    def restart_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Stop a handler within ``timeout`` seconds, then start it with fresh restarts; True when ready."""

    def get_handler_status(self, handler_id: str) -> ProcessInfo | None:
        """The state of one handler; None when it is unknown."""
        return None if handler_id == SERVER else self.status().get(handler_id)

    def list_handlers(self) -> list[str]:
        """The ids of all handlers, in the order in which they were added."""
        return [name for name in self.status() if name != SERVER]

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether it has been started and not been stopped."""

    def health_check(self) -> dict[str, bool]:
        """Whether each service is well; here: whether it runs. Never raises, always has an entry a service."""
        return {name: info.status is ProcessStatus.RUNNING for name, info in self.status().items()}

    @abstractmethod
    def get_metrics(self) -> dict[str, Any]:
        """Uptime in s, totals (``total_services``, ``healthy_services``, ``restarts``), each service."""
