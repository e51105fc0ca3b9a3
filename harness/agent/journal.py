"""What an agent reports: one JSON line an event, with the machine-wide monotonic time at which it happened."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """Appends events to a file, one ``write`` a line, so that a process killed in between leaves whole lines.

    ``CLOCK_MONOTONIC`` is one clock for all processes of a machine, which is what lets the harness put them in one
    order.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, kind: str, **fields: Any) -> None:
        """Report one event; ``fields`` must be JSON."""
        line = json.dumps({"kind": kind, "mono": time.monotonic(), **fields}, separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The events of one journal; a torn last line (the process was killed while it wrote) ends the reading."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return
