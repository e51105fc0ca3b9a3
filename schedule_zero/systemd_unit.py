"""The systemd unit of a deployment: its text, and where it belongs."""

from __future__ import annotations

import os
import re
import string
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from schedule_zero.deployment import Deployment
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.files import write_atomically

__all__ = ["UnitOptions", "install_unit", "unit_name", "unit_path", "unit_text"]

_PLAIN = re.compile(r"[\w@%+=:,./-]+")
_SLACK = 15.0  # seconds beyond a stop's own time-out after which systemd uses force


@dataclass(frozen=True)
class UnitOptions:
    """``user`` makes a unit of the user's own systemd; ``run_as`` is the account of a system unit.

    ``stop_timeout`` and ``watchdog`` are seconds; 0 is no watchdog.
    """

    user: bool = True
    run_as: str | None = None
    stop_timeout: float = 30.0
    watchdog: float = 30.0


def unit_name(deployment: Deployment) -> str:
    """``schedule-zero-clock.service``."""
    return f"schedule-zero-{deployment.name}.service"


def unit_path(deployment: Deployment, options: UnitOptions) -> Path:
    """Where systemd looks for it (systemd.unit(5))."""
    if not options.user:
        return Path("/etc/systemd/system") / unit_name(deployment)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "systemd/user" / unit_name(deployment)


def unit_text(deployment: Deployment, options: UnitOptions) -> str:
    """The unit that runs this deployment's governor in this interpreter."""
    template = resources.files("schedule_zero").joinpath("data/schedule-zero.service").read_text("utf-8")
    pythonpath = os.environ.get("PYTHONPATH")
    text = string.Template(template).substitute(
        path=unit_path(deployment, options),
        deployment=deployment.name,
        command=" ".join(_quoted(word) for word in _command(deployment, options)),
        directory=_escaped(str(Path.cwd())),
        environment=f"Environment={_quoted(f'PYTHONPATH={pythonpath}')}" if pythonpath else "",
        start=f"{deployment.ready_timeout + _SLACK:g}",
        stop=f"{options.stop_timeout + _SLACK:g}",
        watchdog=f"{options.watchdog:g}",
        identity=_identity(options),
        target="default.target" if options.user else "multi-user.target",
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def install_unit(deployment: Deployment, options: UnitOptions) -> Path:
    """Write the unit where it belongs; the caller enables it. Raises ScheduleZeroError when that is not allowed."""
    path = unit_path(deployment, options)
    try:
        write_atomically(path, unit_text(deployment, options), mode=0o644)
    except OSError as error:
        raise ScheduleZeroError(f"cannot write {path}: {error.strerror}; try --user, or as root") from error
    return path


def _command(deployment: Deployment, options: UnitOptions) -> list[str]:
    command = [
        *(sys.executable, "-m", "schedule_zero.cli", "governor", "start"),
        *("--deployment", deployment.name),
        *("--root", str(deployment.root)),
        *("--stop-timeout", f"{options.stop_timeout:g}"),
    ]
    return [*command, "--config", str(deployment.config_path)] if deployment.config_path else command


def _identity(options: UnitOptions) -> str:
    if options.user:
        return ""
    lines = [f"User={options.run_as}"] if options.run_as else []
    return "\n".join([*lines, "NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=full"])


def _escaped(text: str) -> str:
    # % begins a specifier in every value.
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a command line as systemd reads it (systemd.service(5), "Command lines").

    >>> _quoted("/opt/my venv/bin/python"), _quoted("50%"), _quoted("$HOME")
    ('"/opt/my venv/bin/python"', '50%%', '"$$HOME"')
    """
    escaped = _escaped(word).replace("$", "$$")
    if _PLAIN.fullmatch(escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'
