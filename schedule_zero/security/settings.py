"""The ``security`` section of a deployment.

.. code-block:: yaml

    security:
      insecure: false               # true: listen beyond loopback without tokens or keys
      tokens: tokens.json           # HTTP: the file of bearer tokens
      keys: keys                    # ZeroMQ: the folder of CURVE keys
      hosts: [jobs.example.org]     # further names by which the HTTP server is called; "*" is any
      session: {lifetime: 12h, secure_cookie: false}
      limits: {rate: 200, burst: 400, body: 8388608}

Environment: ``SCHEDULEZERO_INSECURE``, ``SCHEDULEZERO_TOKENS_PATH``, ``SCHEDULEZERO_KEYS_PATH``,
``SCHEDULEZERO_ALLOWED_HOSTS`` (separated by commas).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedule_zero.config_source import Section

__all__ = ["MAX_BODY", "SecuritySettings", "dump_security", "read_security"]

MAX_BODY = 8 * 1024 * 1024
"""The largest HTTP body taken, in bytes, unless a deployment takes less: what a message to a handler can carry."""


@dataclass(frozen=True)
class SecuritySettings:
    """Who may speak to this deployment, and how much.

    ``tokens`` None leaves HTTP open, ``keys`` None leaves ZeroMQ in plain text: neither is possible beyond
    loopback unless ``insecure``. ``session_lifetime`` is seconds. ``rate`` is requests a second of one token,
    or of one address where there is none, and ``burst`` how many may come at once; 0 is no limit, and None no
    limit on loopback and 200 beyond. ``max_body`` is bytes.
    """

    insecure: bool = False
    tokens: Path | None = None
    keys: Path | None = None
    hosts: tuple[str, ...] = ()
    session_lifetime: float = 12 * 3600.0
    secure_cookie: bool = False
    rate: float | None = None
    burst: int = 400
    max_body: int = MAX_BODY


def read_security(section: Section, base: Path) -> SecuritySettings:
    """The settings in a section; paths are relative to ``base``. Raises ConfigError with their place."""
    usual = SecuritySettings()
    tokens, keys = section.text("tokens"), section.text("keys")
    session, limits = section.section("session"), section.section("limits")
    settings = SecuritySettings(
        insecure=section.flag("insecure", usual.insecure),
        tokens=base / tokens if tokens else None,
        keys=base / keys if keys else None,
        hosts=_hosts(section),
        session_lifetime=session.seconds("lifetime", usual.session_lifetime),
        secure_cookie=session.flag("secure_cookie", usual.secure_cookie),
        rate=limits.number("rate", -1.0) if limits.text("rate") is not None else None,
        burst=limits.integer("burst", usual.burst, low=1),
        max_body=limits.integer("body", usual.max_body, low=1024, high=MAX_BODY),
    )
    for part in (session, limits, section):
        part.finish()
    return settings


def _hosts(section: Section) -> tuple[str, ...]:
    hosts = tuple(section.texts("hosts"))
    for host in hosts:
        if not host or any(sign in host for sign in "/ @") or host != host.strip():
            raise section.wrong("hosts", 'host names such as jobs.example.org, or "*"')
    return tuple(host.lower() for host in hosts)


def dump_security(settings: SecuritySettings) -> dict[str, Any]:
    """The settings as :func:`read_security` takes them, with absolute paths."""
    return {
        "insecure": settings.insecure,
        "tokens": None if settings.tokens is None else str(settings.tokens.absolute()),
        "keys": None if settings.keys is None else str(settings.keys.absolute()),
        "hosts": list(settings.hosts),
        "session": {"lifetime": settings.session_lifetime, "secure_cookie": settings.secure_cookie},
        "limits": {"rate": settings.rate, "burst": settings.burst, "body": settings.max_body},
    }
