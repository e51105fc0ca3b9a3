"""A verdict as the JSON that ``--json`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.checks.verdict import Verdict
from harness.report.manifest import Manifest
from harness.report.text import readable


def as_json(verdict: Verdict, manifest: Manifest | None = None, *, folder: Path | None = None) -> dict[str, Any]:
    """The verdict with its exit code, the run's folder and the line that runs it again.

    ``scenario_seconds`` is how long the run phase took, ``wall_seconds`` the whole run with set-up and teardown
    (None where the manifest does not say), ``simulation`` what identifies a simulated run. Only what JSON knows.
    """
    found: dict[str, Any] = msgspec.to_builtins(verdict, enc_hook=str)
    found["scenario_seconds"] = found.pop("duration")
    found["wall_seconds"] = None if manifest is None else manifest.duration
    found["exit_code"] = int(verdict.outcome.exit_code)
    found["report"] = None if folder is None else readable(str(folder))
    found["simulation"] = None if manifest is None else msgspec.to_builtins(manifest.simulation)
    found["again"] = "" if manifest is None else manifest.again
    return found


def dumps(data: Any) -> str:
    """Indented JSON text of anything made of msgspec structs and plain values; what is no UTF-8 is made `readable`."""
    try:
        encoded = msgspec.json.encode(data, enc_hook=str)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_readable(msgspec.to_builtins(data, enc_hook=str)))
    return msgspec.json.format(encoded, indent=2).decode()


def _readable(data: Any) -> Any:
    if isinstance(data, dict):
        return {_readable(key): _readable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_readable(value) for value in data]
    return readable(data) if isinstance(data, str) else data
