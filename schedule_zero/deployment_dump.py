"""A deployment written back as a file that :func:`~schedule_zero.deployment.load_deployment` reads.

The governor gives its server the configuration in force by this, ports included, so that the two cannot
disagree. JSON is YAML, and needs no decisions on quoting.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from schedule_zero.deployment import Deployment
from schedule_zero.files import write_atomically
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.security.settings import dump_security
from schedule_zero.service_config import ServiceConfig

__all__ = ["child_environment", "dump_deployment", "write_deployment"]


def write_deployment(deployment: Deployment, path: Path) -> None:
    """Write the deployment to ``path``, readable by its owner only: a store URL may hold a password."""
    write_atomically(path, dump_deployment(deployment), mode=0o600)


def dump_deployment(deployment: Deployment) -> str:
    """The deployment as JSON text with every setting spelt out."""
    restart = deployment.restart
    return json.dumps(
        {
            "deployment": deployment.name,
            **_service(deployment.service),
            "governor": {
                "restart": restart.policy.value,
                "max_restarts": restart.max_restarts,
                "restart_delay": restart.restart_delay,
                "backoff": restart.backoff,
                "max_delay": restart.max_delay,
                "healthy_after": restart.healthy_after,
                "ready_timeout": deployment.ready_timeout,
                "kind": deployment.kind.value,
            },
            "handlers": [_handler(handler) for handler in deployment.handlers],
        },
        indent=2,
    )


def child_environment(service: ServiceConfig) -> dict[str, str]:
    """The variables that make a child see this service whatever it inherits, and log to standard error."""
    return {
        "SCHEDULEZERO_DEPLOYMENT": service.deployment,
        "SCHEDULEZERO_HOST": service.http_host,
        "SCHEDULEZERO_PORT": str(service.http_port),
        "SCHEDULEZERO_ZMQ_HOST": service.zmq_host,
        "SCHEDULEZERO_ZMQ_PORT": str(service.zmq_port),
        "SCHEDULEZERO_DATABASE_URL": "",
        "SCHEDULEZERO_SERVER_ID": "",
        "SCHEDULEZERO_REGISTRY_PATH": _text(service.registry_path) or "",
        "SCHEDULEZERO_LOG_FILE": "",
        "LOG_LEVEL": service.log.level,
        "SCHEDULEZERO_LOG_FORMAT": service.log.format,
        "SCHEDULEZERO_INSECURE": "true" if service.security.insecure else "false",
        "SCHEDULEZERO_TOKENS_PATH": _text(service.security.tokens) or "",
        "SCHEDULEZERO_KEYS_PATH": _text(service.security.keys) or "",
        "SCHEDULEZERO_ALLOWED_HOSTS": ",".join(service.security.hosts),
    }


def _service(service: ServiceConfig) -> dict[str, Any]:
    retry = service.retry
    return {
        "http": {"host": service.http_host, "port": service.http_port},
        "zmq": {"host": service.zmq_host, "port": service.zmq_port, "peers": list(service.peers)},
        "store": service.store,
        "server_id": service.server_id,
        "data_dir": _text(service.data_dir),
        "database": _text(service.database),
        "registry": _text(service.registry_path),
        "scheduler": {
            "lease": service.lease,
            "max_jobs": service.max_jobs,
            "per_handler_jobs": service.per_handler_jobs,
            "misfire_grace": service.misfire_grace,
            "call_timeout": service.call_timeout,
            "stop_timeout": service.stop_timeout,
        },
        "retry": {
            "attempts": retry.attempts,
            "base": retry.base,
            "factor": retry.factor,
            "jitter": retry.jitter,
            "retry_errors": retry.retry_errors,
        },
        "heartbeat": {"interval": service.heartbeat, "timeout": service.heartbeat_timeout},
        "executions": {"max_age": service.executions_max_age, "max_count": service.executions_max_count},
        "log": {**dataclasses.asdict(service.log), "file": _text(service.log.file)},
        "security": dump_security(service.security),
    }


def _handler(handler: HandlerConfig) -> dict[str, Any]:
    return {
        "handler_id": handler.handler_id,
        "module": handler.module_path,
        "class": handler.class_name,
        "port": handler.port,
        "auto_restart": handler.auto_restart,
        "max_restarts": handler.max_restarts,
        "restart_delay": handler.restart_delay,
        "config": handler.kwargs,
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
