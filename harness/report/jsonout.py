"""A verdict as the JSON that ``--json`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.checks.verdict import Verdict


def as_json(verdict: Verdict, *, folder: Path | None = None, again: str = "") -> dict[str, Any]:
    """The verdict with its exit code, the run's folder and the line that runs it again.

    Only what JSON knows.
    """
    found: dict[str, Any] = msgspec.to_builtins(verdict, enc_hook=str)
    found["exit_code"] = int(verdict.outcome.exit_code)
    found["report"] = None if folder is None else str(folder)
    found["again"] = again
    return found


def dumps(data: Any) -> str:
    """Indented JSON text of anything made of msgspec structs and plain values."""
    return msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2).decode()
