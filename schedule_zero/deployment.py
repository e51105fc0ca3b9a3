"""Typed configuration of a named deployment: defaults, then a YAML file, then the environment.

The file is the one given, or ``SCHEDULEZERO_CONFIG_PATH``, or ``<root>/<name>/deployment.yaml`` where that
exists:

.. code-block:: yaml

    deployment: clock                 # optional; must be the name asked for
    http: {host: 127.0.0.1, port: 8889}
    zmq: {host: 127.0.0.1, port: 4243}              # peers: [tcp://west:4243] with which handlers register too
    store: sqlite                     # sqlite, memory, or postgresql://user@host/database?schema=clock
    server_id: east                   # among servers that share a PostgreSQL store; default: the host's name
    data_dir: .                       # paths are relative to this file
    database: clock.db
    registry: registry.yaml
    scheduler: {lease: 30s, max_jobs: 100, per_handler_jobs: 16, misfire_grace: 1min, call_timeout: 30s,
                stop_timeout: 10s}
    retry: {attempts: 3, base: 1s, factor: 2, jitter: 0.5, retry_errors: false}
    heartbeat: {interval: 2s, timeout: 6s}
    executions: {max_age: 30d, max_count: 1000000}
    log: {level: INFO, format: json, file: clock.log, max_bytes: 20971520, backups: 5}
    security: {tokens: tokens.json, keys: keys}    # more in schedule_zero.security.settings
    governor: {restart: on-failure, max_restarts: 3, restart_delay: 5s, backoff: 2, max_delay: 1min,
               healthy_after: 1min, ready_timeout: 20s, kind: process}
    handlers:
      - {handler_id: chimes, module: clock.handlers, class: Chimes, port: 0, config: {volume: 3}}

The environment has the last word: ``SCHEDULEZERO_DEPLOYMENT``, ``_HOST``, ``_PORT``, ``_ZMQ_HOST``,
``_ZMQ_PORT``, ``_DATABASE_URL``, ``_REGISTRY_PATH``, ``_CONFIG_PATH``, ``_LOG_FILE``, ``_INSECURE``,
``_TOKENS_PATH``, ``_KEYS_PATH``, ``_ALLOWED_HOSTS``, ``_LOG_FORMAT``, and ``LOG_LEVEL``; an empty value is none.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schedule_zero.config_source import Section
from schedule_zero.deployment_env import LEVELS, MAX_PORT, Environment, is_host
from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import SERVER, GovernorKind, HandlerConfig, RestartPolicy
from schedule_zero.log_settings import FORMATS
from schedule_zero.own_files import Place, find_places, require_own_files
from schedule_zero.security.settings import read_security
from schedule_zero.service_config import LogSettings, RetrySettings, ServiceConfig, store_trouble, with_store

__all__ = [
    "DEFAULT_PORTS",
    "Deployment",
    "LogSettings",
    "RestartSettings",
    "RetrySettings",
    "ServiceConfig",
    "check_handler_id",
    "load_deployment",
]

DEFAULT_PORTS: Mapping[str, tuple[int, int]] = {
    "default": (8888, 4242),
    "clock": (8889, 4243),
    "test": (8890, 4244),
}
"""HTTP and ZeroMQ port of the well-known deployments; any other name has those of ``default``."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_WORDS = "letters, digits, '.', '_', '-', starting with one of the first two, 64 at most"

_HANDLER_ID = f"letters, digits, '.', '_', '-', 64 at most, and neither {SERVER!r} nor 'governor'"


@dataclass(frozen=True)
class RestartSettings:
    """How a governor restarts what ended by itself; durations in seconds.

    The n-th restart in a row waits ``restart_delay * backoff**n``, at most ``max_delay``; after
    ``max_restarts`` of them the process is given up as crashed. A process that stayed up ``healthy_after``
    seconds starts anew at zero.
    """

    policy: RestartPolicy = RestartPolicy.ON_FAILURE
    max_restarts: int = 3
    restart_delay: float = 5.0
    backoff: float = 2.0
    max_delay: float = 60.0
    healthy_after: float = 60.0


@dataclass(frozen=True)
class Deployment:
    """One named deployment: its service, its handlers, and how they are kept alive.

    ``root`` is the folder of all deployments; this one's own is :attr:`directory`. ``ready_timeout`` is how
    many seconds a started process may take until it answers; ``kind`` is what its governor runs it in; ``places``
    says of the settings that name files where they were made.
    """

    name: str
    root: Path
    service: ServiceConfig
    handlers: tuple[HandlerConfig, ...] = ()
    restart: RestartSettings = field(default_factory=RestartSettings)
    ready_timeout: float = 20.0
    config_path: Path | None = None
    kind: GovernorKind = GovernorKind.PROCESS
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    @property
    def directory(self) -> Path:
        """Where everything of this deployment lies."""
        return self.root / self.name

    @property
    def pids_dir(self) -> Path:
        """The pid files: ``server.pid`` and one a handler."""
        return self.directory / "pids"

    @property
    def logs_dir(self) -> Path:
        """What the processes wrote: ``server.log`` and one a handler."""
        return self.directory / "logs"


def load_deployment(
    name: str | None = None,
    config_path: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    root: Path | str = Path("deployments"),
) -> Deployment:
    """The deployment of this name; None asks ``SCHEDULEZERO_DEPLOYMENT``, the file, then ``default``.

    Raises :class:`ConfigError` with file, line and column for whatever in the file cannot be used, and with the
    variable's name for the environment.

    >>> load_deployment("clock", env={}).service.http_port
    8889
    """
    settings = Environment(os.environ if env is None else env)
    named = name or settings.text("SCHEDULEZERO_DEPLOYMENT")
    path = _config_file(named or "default", config_path, settings, Path(root))
    document = Section.load(path) if path else Section.empty()
    chosen = _name(document, named)
    deployment = _read(document, chosen, Path(root).absolute(), path)
    document.finish()
    service, places = settings.applied_to(deployment.service), find_places(document, settings.values)
    require_own_files(service, deployment.directory, deployment.config_path, places)
    return dataclasses.replace(deployment, service=service, places=places)


def _config_file(name: str, given: Path | str | None, env: Environment, root: Path) -> Path | None:
    chosen = given or env.text("SCHEDULEZERO_CONFIG_PATH")
    if chosen:
        return Path(chosen)
    usual = root / name / "deployment.yaml"
    return usual if usual.exists() else None


def _name(document: Section, asked: str | None) -> str:
    written = document.text("deployment")
    name = asked or written or "default"
    if written is not None and written != name:
        raise document.wrong("deployment", f"the deployment asked for, {name!r}")
    if not _NAME.fullmatch(name):
        if written is not None:
            raise document.wrong("deployment", _NAME_WORDS)
        raise ConfigError(f"deployment {name!r}: expected {_NAME_WORDS}")
    return name


def _read(document: Section, name: str, root: Path, path: Path | None) -> Deployment:
    governor = document.section("governor")
    restart = _restart(governor)
    ready_timeout = governor.seconds("ready_timeout", Deployment.ready_timeout)
    kind = GovernorKind(governor.choice("kind", GovernorKind.PROCESS.value, [kind.value for kind in GovernorKind]))
    governor.finish()
    return Deployment(
        name=name,
        root=root,
        service=_service(document, name, root / name, path),
        handlers=_handlers(document, restart),
        restart=restart,
        ready_timeout=ready_timeout,
        kind=kind,
        config_path=path.absolute() if path else None,
    )


def _restart(section: Section) -> RestartSettings:
    usual = RestartSettings()
    return RestartSettings(
        policy=RestartPolicy(
            section.choice("restart", usual.policy.value, [policy.value for policy in RestartPolicy])
        ),
        max_restarts=section.integer("max_restarts", usual.max_restarts),
        restart_delay=section.seconds("restart_delay", usual.restart_delay),
        backoff=section.number("backoff", usual.backoff, low=1.0),
        max_delay=section.seconds("max_delay", usual.max_delay),
        healthy_after=section.seconds("healthy_after", usual.healthy_after),
    )


def _service(document: Section, name: str, directory: Path, path: Path | None) -> ServiceConfig:
    usual = ServiceConfig()
    http_port, zmq_port = DEFAULT_PORTS.get(name, DEFAULT_PORTS["default"])
    http, zmq, heartbeat = document.section("http"), document.section("zmq"), document.section("heartbeat")
    base = path.absolute().parent if path else directory
    data_dir = _path(document, "data_dir", base, directory)
    config = ServiceConfig(
        deployment=name,
        http_host=_host(http, usual.http_host),
        http_port=http.integer("port", http_port, high=MAX_PORT),
        zmq_host=_host(zmq, usual.zmq_host),
        zmq_port=zmq.integer("port", zmq_port, high=MAX_PORT),
        peers=_peers(zmq),
        database=_path(document, "database", base, data_dir / "schedule_zero.db"),
        registry_path=_path(document, "registry", base, data_dir / "registry.yaml"),
        data_dir=data_dir,
        retry=_retry(document.section("retry")),
        heartbeat=heartbeat.seconds("interval", usual.heartbeat),
        heartbeat_timeout=heartbeat.seconds("timeout", usual.heartbeat_timeout),
        log=_log(document.section("log"), base),
        security=read_security(document.section("security"), base),
    )
    if config.heartbeat_timeout <= config.heartbeat:
        raise heartbeat.wrong("timeout", f"more than the interval of {config.heartbeat:g} s")
    for section in (http, zmq, heartbeat):
        section.finish()
    config = dataclasses.replace(with_store(config, _store(document)), server_id=document.text("server_id"))
    return _executions(document.section("executions"), _scheduler(document.section("scheduler"), config))


def _scheduler(section: Section, config: ServiceConfig) -> ServiceConfig:
    grace = section.seconds("misfire_grace", -1.0)
    config = dataclasses.replace(
        config,
        lease=section.seconds("lease", config.lease),
        max_jobs=section.integer("max_jobs", config.max_jobs, low=1),
        per_handler_jobs=section.integer("per_handler_jobs", config.per_handler_jobs, low=1),
        misfire_grace=None if grace < 0 else grace,
        call_timeout=section.seconds("call_timeout", config.call_timeout),
        stop_timeout=section.seconds("stop_timeout", config.stop_timeout),
    )
    if config.lease < 1.0:
        raise section.wrong("lease", "a second or more")
    section.finish()
    return config


def _executions(section: Section, config: ServiceConfig) -> ServiceConfig:
    age, count = config.executions_max_age, config.executions_max_count
    config = dataclasses.replace(
        config,
        executions_max_age=section.seconds("max_age", age) if age is not None else None,
        executions_max_count=section.integer("max_count", count, low=1) if count is not None else None,
    )
    section.finish()
    return config


def _retry(section: Section) -> RetrySettings:
    usual = RetrySettings()
    retry = RetrySettings(
        attempts=section.integer("attempts", usual.attempts, low=1),
        base=section.seconds("base", usual.base),
        factor=section.number("factor", usual.factor, low=1.0),
        jitter=section.number("jitter", usual.jitter),
        retry_errors=section.flag("retry_errors", usual.retry_errors),
    )
    if retry.jitter > 1:
        raise section.wrong("jitter", "a fraction from 0 to 1")
    section.finish()
    return retry


def _log(section: Section, base: Path) -> LogSettings:
    usual = LogSettings()
    file = section.text("file")
    log = LogSettings(
        level=section.choice("level", usual.level, LEVELS),
        format=section.choice("format", usual.format, FORMATS),
        file=base / file if file else None,
        max_bytes=section.integer("max_bytes", usual.max_bytes),
        backups=section.integer("backups", usual.backups, low=1, high=1000),
    )
    section.finish()
    return log


def _handlers(document: Section, restart: RestartSettings) -> tuple[HandlerConfig, ...]:
    handlers: list[HandlerConfig] = []
    for section in document.sections("handlers"):
        handler = _handler(section, restart)
        if any(handler.handler_id == other.handler_id for other in handlers):
            raise section.wrong("handler_id", "each handler_id once")
        handlers.append(handler)
    return tuple(handlers)


def _handler(section: Section, restart: RestartSettings) -> HandlerConfig:
    handler_id = str(section.text("handler_id", required=True))
    if not _is_handler_id(handler_id):
        raise section.wrong("handler_id", _HANDLER_ID)
    config = HandlerConfig(
        handler_id,
        str(section.text("module", required=True)),
        str(section.text("class", required=True)),
        section.integer("port", 0, high=MAX_PORT),
        section.flag("auto_restart", True),
        section.integer("max_restarts", restart.max_restarts),
        section.seconds("restart_delay", restart.restart_delay),
    )
    config.kwargs.update(section.data("config"))
    section.finish()
    return config


def check_handler_id(handler_id: str) -> None:
    """Raise ConfigError for an id that no handler can have: ids name pid files and log files too."""
    if not _is_handler_id(handler_id):
        raise ConfigError(f"handler id: expected {_HANDLER_ID}, found {handler_id!r}")


def _is_handler_id(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and text not in (SERVER, "governor")


def _host(section: Section, default: str) -> str:
    host = section.text("host", default) or default
    if not is_host(host):
        raise section.wrong("host", "a host name or address")
    return host


def _peers(zmq: Section) -> tuple[str, ...]:
    peers = zmq.texts("peers")
    if not all(re.fullmatch(r"tcp://[^\s,]+:\d{1,5}", peer) for peer in peers):
        raise zmq.wrong("peers", "a list of addresses such as tcp://e:1")
    return tuple(peers)


def _store(document: Section) -> str:
    store = document.text("store", "sqlite") or "sqlite"
    trouble = store_trouble(store)
    if trouble is not None:
        raise document.refused("store", trouble)
    return store


def _path(document: Section, key: str, base: Path, default: Path) -> Path:
    written = document.text(key)
    return base / written if written else default
