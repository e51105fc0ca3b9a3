"""What the environment says about a deployment.

An empty variable is none. Whatever cannot be used raises :class:`ConfigError` with the variable's name.

>>> Environment({"SCHEDULEZERO_PORT": "9000"}).applied_to(ServiceConfig()).http_port
9000
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

from schedule_zero.errors import ConfigError
from schedule_zero.log_settings import FORMATS
from schedule_zero.service_config import SecuritySettings, ServiceConfig, store_trouble, with_store

__all__ = ["LEVELS", "MAX_PORT", "Environment", "is_host"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""The names of the logging levels."""

MAX_PORT = 65535
"""The highest port number."""


def is_host(text: str) -> bool:
    """Whether a text is an IP address or can be a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(re.fullmatch(r"(?=.{1,253}$)[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", text))
    return True


class Environment:
    """The environment's say in a deployment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.values = env

    def text(self, name: str) -> str | None:
        """The value of a variable; None when it is absent or empty."""
        return self.values.get(name) or None

    def applied_to(self, service: ServiceConfig) -> ServiceConfig:
        """The settings with what the environment overrides."""
        registry, file = self.text("SCHEDULEZERO_REGISTRY_PATH"), self.text("SCHEDULEZERO_LOG_FILE")
        stored = with_store(service, self._url("SCHEDULEZERO_DATABASE_URL", service.store))
        return dataclasses.replace(
            stored,
            http_host=self._host("SCHEDULEZERO_HOST", service.http_host),
            http_port=self._port("SCHEDULEZERO_PORT", service.http_port),
            zmq_host=self._host("SCHEDULEZERO_ZMQ_HOST", service.zmq_host),
            zmq_port=self._port("SCHEDULEZERO_ZMQ_PORT", service.zmq_port),
            server_id=self.text("SCHEDULEZERO_SERVER_ID") or service.server_id,
            registry_path=Path(registry) if registry else service.registry_path,
            log=dataclasses.replace(
                service.log,
                level=self._level("LOG_LEVEL", service.log.level),
                format=self._format("SCHEDULEZERO_LOG_FORMAT", service.log.format),
                file=Path(file) if file else service.log.file,
            ),
            security=self._security(service.security),
        )

    def _security(self, settings: SecuritySettings) -> SecuritySettings:
        tokens, keys = self.text("SCHEDULEZERO_TOKENS_PATH"), self.text("SCHEDULEZERO_KEYS_PATH")
        hosts = self.text("SCHEDULEZERO_ALLOWED_HOSTS")
        return dataclasses.replace(
            settings,
            insecure=self._flag("SCHEDULEZERO_INSECURE", settings.insecure),
            tokens=Path(tokens) if tokens else settings.tokens,
            keys=Path(keys) if keys else settings.keys,
            hosts=tuple(host.strip().lower() for host in hosts.split(",")) if hosts else settings.hosts,
        )

    def _flag(self, name: str, default: bool) -> bool:
        value = (self.text(name) or str(default)).lower()
        if value not in ("true", "false", "1", "0"):
            self._refuse(name, "true or false")
        return value in ("true", "1")

    def _host(self, name: str, default: str) -> str:
        value = self.text(name) or default
        return value if is_host(value) else self._refuse(name, "a host name or address")

    def _port(self, name: str, default: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and int(value) <= MAX_PORT):
            self._refuse(name, f"a port number from 0 to {MAX_PORT}")
        return int(value)

    def _level(self, name: str, default: str) -> str:
        value = (self.text(name) or default).upper()
        return value if value in LEVELS else self._refuse(name, f"one of {', '.join(LEVELS)}")

    def _format(self, name: str, default: str) -> str:
        value = (self.text(name) or default).lower()
        return value if value in FORMATS else self._refuse(name, " or ".join(FORMATS))

    def _url(self, name: str, default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        trouble = store_trouble(value)
        if trouble is not None:
            raise ConfigError(f"environment variable {name}: {trouble}")
        return value

    def _refuse(self, name: str, expected: str) -> str:
        raise ConfigError(f"environment variable {name}: expected {expected}, found {self.text(name)!r}")
