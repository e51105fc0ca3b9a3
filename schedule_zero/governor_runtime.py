"""The file that says which governor runs a deployment, and where it takes orders.

``{"pid", "start_time", "birth", "deployment", "control", "http_url", "registration_address", "keys"}``; addresses of
the server are null while it is not ready, ``keys`` (the folder) is where the deployment has none.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from schedule_zero.files import write_atomically
from schedule_zero.pidfile import PidRecord, is_alive, record_of
from schedule_zero.runtime_file import ServerRuntime
from schedule_zero.security.curve import Curve
from schedule_zero.security.server_keys import ServerKeys

__all__ = ["GovernorRuntime", "read_governor", "write_governor"]


@dataclass(frozen=True)
class GovernorRuntime:
    """A governor that is alive: its process, its control address, its server's addresses, the folder of its keys."""

    record: PidRecord
    control: str
    http_url: str | None
    registration_address: str | None
    keys: str | None = None

    def secure(self) -> Curve | None:
        """By which keys it takes orders; None in plain text. Raises ConfigError for who may not read them."""
        return None if self.keys is None else ServerKeys(Path(self.keys)).to_server()


def write_governor(
    path: Path, deployment: str, control: str, server: ServerRuntime | None, keys: Path | None = None
) -> None:
    """Write the file for the governor in this process."""
    record = record_of(os.getpid()) or PidRecord(os.getpid(), 0.0)
    data = {
        **asdict(record),
        "deployment": deployment,
        "control": control,
        "http_url": server.http_url if server else None,
        "registration_address": server.registration_address if server else None,
        "keys": None if keys is None else str(keys.absolute()),
    }
    write_atomically(path, json.dumps(data))


def read_governor(path: Path) -> GovernorRuntime | None:
    """The governor that the file names; None when there is no file, or that governor is not alive."""
    try:
        data = json.loads(path.read_text("utf-8"))
        record = PidRecord(int(data["pid"]), float(data["start_time"]), data.get("birth"))
        runtime = GovernorRuntime(
            record, str(data["control"]), data["http_url"], data["registration_address"], data.get("keys")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return runtime if is_alive(record) else None
