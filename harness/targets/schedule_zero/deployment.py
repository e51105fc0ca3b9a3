"""The scheduler's own configuration file, written from a scenario."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.scenario.model import HandlerGroup, Scenario
from harness.scenario.values import format_duration
from harness.targets.schedule_zero.options import HandlerOptions, SchedulerOptions

NAME = "under-test"
WORKER = ("harness.targets.schedule_zero.worker", "Worker")


def handler_entry(group: HandlerGroup, name: str, *, seed: int) -> dict[str, Any]:
    """The configuration of one handler process: a worker, or a class that the scenario names with its ``config``."""
    options = HandlerOptions.model_validate(group.options)
    config: dict[str, Any] = {"concurrency": group.concurrency, **options.config}
    if (options.module, options.cls) == WORKER:
        p99 = group.service.p99 if group.service.p99 is not None else group.service.p50
        config |= {"p50": group.service.p50, "p99": p99, "seed": seed}
    return {"handler_id": name, "module": options.module, "class": options.cls, "config": config}


@dataclass(frozen=True)
class Configured:
    """One server with its governor: its ``number`` among those of the run, and the folder of its files."""

    number: int
    root: Path

    @property
    def mark(self) -> str:
        """What is added to the names of its processes: nothing for the first, ``2`` for the second."""
        return "" if self.number == 1 else str(self.number)

    @property
    def name(self) -> str:
        """Its name as a deployment."""
        return NAME + self.mark

    @property
    def path(self) -> Path:
        """Its configuration file."""
        return self.root / f"deployment{self.mark}.yaml"


def write(
    scenario: Scenario,
    made: Configured,
    *,
    seed: int,
    peers: Sequence[str] = (),
    ports: tuple[int, int] = (0, 0),
    security: Mapping[str, Any] | None = None,
) -> None:
    """Write the configuration of one server. The first has all handlers; they register with the `peers` as well.

    `ports` are those of HTTP and of the registration; 0 is any free one.
    """
    options = SchedulerOptions.model_validate(scenario.topology.scheduler)
    document = _document(scenario, options, made, seed)
    document["http"] |= {"port": ports[0]}
    document["zmq"] |= {"port": ports[1], **({"peers": list(peers)} if peers else {})}
    document |= {"security": dict(security)} if security else {}
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    made.path.write_text(stream.getvalue(), encoding="utf-8")


def _document(scenario: Scenario, options: SchedulerOptions, made: Configured, seed: int) -> dict[str, Any]:
    governor = scenario.target.governor
    handlers = [(group, name) for group in scenario.topology.handlers for name in group.names()]
    return {
        "deployment": made.name,
        "http": {"host": "127.0.0.1"},
        "zmq": {"host": "127.0.0.1"},
        # PostgreSQL is named by the environment: its URL may hold a password.
        **({"server_id": f"server{made.number}"} if options.store == "postgres" else {"store": options.store}),
        "database": "jobs.db",
        "registry": f"registry{made.mark}.yaml",
        "scheduler": _without_none(
            {
                "lease": _text(options.lease),
                "max_jobs": options.max_jobs,
                "per_handler_jobs": options.per_handler_jobs,
                "misfire_grace": None if options.misfire_grace is None else _text(options.misfire_grace),
                "call_timeout": _text(options.call_timeout),
            }
        ),
        "retry": {"attempts": options.attempts, "base": _text(options.retry_base)},
        "heartbeat": {"interval": _text(options.heartbeat), "timeout": _text(options.heartbeat_timeout)},
        "log": {"level": "INFO", "format": "console"},
        "governor": {
            "kind": governor.kind,
            "restart": governor.restart,
            "max_restarts": governor.max_restarts,
            "restart_delay": _text(governor.restart_delay),
            "backoff": 1,
        },
        "handlers": [handler_entry(group, name, seed=seed) for group, name in handlers if made.number == 1],
    }


def _text(seconds: float) -> str:
    return format_duration(seconds)


def _without_none(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}
