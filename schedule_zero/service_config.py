"""The settings of one scheduler service: everything that a server process needs to know.

They are plain frozen dataclasses, so that the service, the server and the simulation can build them without a
file:

>>> config = ServiceConfig(deployment="test", store="memory")
>>> config.store_url
'memory://'
>>> ServiceConfig(database=Path("/var/lib/sz/jobs.db")).store_url
'sqlite+aiosqlite:////var/lib/sz/jobs.db'

All durations are seconds. Port 0 means "a free port, chosen by the system and reported when ready".
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from schedule_zero.errors import ConfigError
from schedule_zero.log_settings import LogSettings
from schedule_zero.postgres_url import parse
from schedule_zero.security.settings import SecuritySettings

__all__ = ["LogSettings", "RetrySettings", "SecuritySettings", "ServiceConfig", "store_trouble", "with_store"]

_STORES = "sqlite, memory, or a URL such as postgresql://user@host/database"
_SCHEMES = re.compile(r"(memory|sqlite|postgres|postgresql)(\+\w+)?://.*", re.DOTALL)
_SQLITE = re.compile(r"sqlite(\+\w+)?:///(?P<file>[^:?][^?]*)")


@dataclass(frozen=True)
class RetrySettings:
    """How often a call to a handler is tried: ``attempts`` in all, waiting ``base * factor**n`` s between.

    ``jitter`` is the fraction by which the wait varies (0.5 is +-50 %). ``retry_errors`` also retries what the
    handler answered with an error; without it only transport failures and time-outs are retried.
    """

    attempts: int = 3
    base: float = 1.0
    factor: float = 2.0
    jitter: float = 0.5
    retry_errors: bool = False


@dataclass(frozen=True)
class ServiceConfig:
    """What a scheduler service needs: addresses, store, limits and times.

    ``store`` is ``sqlite``, ``memory`` or a URL (``postgresql://user@host/database`` for several servers on one
    store, which `server_id` tells apart; None: by host name; ``peers`` are the registration addresses of the others,
    with which the handlers of this deployment register as well); ``database`` is the SQLite file. ``lease`` is how
    long a job stays acquired without renewal, ``max_jobs`` how many run at once (shared out so that no handler
    starves, see `fair_shares`), ``per_handler_jobs`` how many of them at one handler. ``misfire_grace`` None
    means that a late run is always made up for. ``call_timeout`` bounds one attempt at a handler; ``heartbeat``
    is the interval told to handlers, ``heartbeat_timeout`` the silence after which a handler counts as
    disconnected. ``executions_max_age`` and ``executions_max_count`` bound the execution log (None: unbounded);
    ``stop_timeout`` bounds a graceful stop. ``security`` says who may speak to the service.
    """

    deployment: str = "default"
    zmq_host: str = "127.0.0.1"
    zmq_port: int = 0
    peers: tuple[str, ...] = ()
    http_host: str = "127.0.0.1"
    http_port: int = 0
    store: str = "sqlite"
    server_id: str | None = None
    database: Path | None = None
    registry_path: Path | None = None
    data_dir: Path | None = None
    lease: float = 30.0
    max_jobs: int = 100
    per_handler_jobs: int = 16
    misfire_grace: float | None = None
    call_timeout: float = 30.0
    retry: RetrySettings = field(default_factory=RetrySettings)
    heartbeat: float = 2.0
    heartbeat_timeout: float = 6.0
    executions_max_age: float | None = 30 * 86400.0
    executions_max_count: int | None = 1_000_000
    stop_timeout: float = 10.0
    log: LogSettings = field(default_factory=LogSettings)
    security: SecuritySettings = field(default_factory=SecuritySettings)

    @property
    def identity(self) -> str:
        """The name under which the scheduler acquires work: the same after a restart, another for each server.

        >>> ServiceConfig(deployment="clock").identity
        'schedule_zero-clock'
        >>> ServiceConfig(deployment="clock", store="postgresql://db/clock", server_id="east").identity
        'schedule_zero-clock@east'
        """
        if not self.store.startswith("postgres"):
            return f"schedule_zero-{self.deployment}"
        return f"schedule_zero-{self.deployment}@{self.server_id or socket.gethostname()}"

    @property
    def store_url(self) -> str:
        """The store as a SQLAlchemy URL; ``memory://`` for the memory store.

        A SQLite store without a database file is an in-memory SQLite database.
        """
        if self.store == "memory":
            return "memory://"
        if self.store == "sqlite":
            return f"sqlite+aiosqlite:///{self.database}" if self.database else "sqlite+aiosqlite://"
        return self.store


def store_trouble(store: str) -> str | None:
    """What is wrong with a store's name or URL, without the URL itself, which may hold a password; None if nothing is.

    >>> store_trouble("mysql://me:secret@db/jobs")
    "expected sqlite, memory, or a URL such as postgresql://user@host/database, found a URL of 'mysql'"
    """
    if store in ("sqlite", "memory"):
        return None
    if not _SCHEMES.fullmatch(store):
        scheme, found, _ = store.partition("://")
        return f"expected {_STORES}, found {f'a URL of {scheme!r}' if found else repr(store)}"
    if not store.startswith("postgres"):
        return None
    try:
        parse(store)
    except ConfigError as error:
        return str(error)
    except ValueError as error:
        return f"expected {_STORES}, found none: {error}"
    return None


def with_store(config: ServiceConfig, store: str) -> ServiceConfig:
    """The settings with another store; the URL of a SQLite file becomes ``sqlite`` and its ``database``.

    So there is one way to say "this file", and the execution log lies in it however it was said.

    >>> with_store(ServiceConfig(), "sqlite:////srv/jobs.db").database
    PosixPath('/srv/jobs.db')
    """
    file = _SQLITE.fullmatch(store)
    if file:
        return replace(config, store="sqlite", database=Path(file["file"]))
    return replace(config, store=store)
