"""The file in which a server that listens says where, for its governor and for commands."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schedule_zero.files import write_atomically

__all__ = ["RUNTIME_FILE", "RuntimeFile", "ServerRuntime", "read_runtime"]

#: Its name, in the folder of a deployment.
RUNTIME_FILE: Final = "server.json"


@dataclass(frozen=True)
class ServerRuntime:
    """What a server that is ready says of itself; ``token`` is for this user's requests, where tokens are asked for."""

    pid: int
    http_url: str
    registration_address: str
    token: str = field(default="", repr=False)


class RuntimeFile:
    """One server's word at `path`, readable by its owner alone, as it holds a token."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._word: str | None = None

    def write(self, facts: Mapping[str, Any]) -> None:
        """Say it, in the place of whatever an earlier server has said. Raises OSError."""
        word = json.dumps(facts)
        write_atomically(self.path, word, mode=0o600)
        self._word = word

    def take_back(self) -> None:
        """Remove the file, if it is still this server's word: one that was given up long ago leaves its successor's."""
        with contextlib.suppress(OSError):
            if self._word is not None and self.path.read_text("utf-8") == self._word:
                self.path.unlink()


def read_runtime(path: Path, pid: int | None) -> ServerRuntime | None:
    """The runtime file of the server with this pid; None while that one has written none."""
    try:
        data = json.loads(path.read_text("utf-8"))
        runtime = ServerRuntime(
            int(data["pid"]), str(data["http_url"]), str(data["registration_address"]), str(data.get("token", ""))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return runtime if runtime.pid == pid else None
