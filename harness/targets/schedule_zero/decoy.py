"""A ``python`` that comes first on ``PATH`` and that nobody may use: whoever does is found by the mark it leaves.

The decoy runs the right interpreter in the end, so that a process started by it lives long enough to be seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.agent import journal, protocol
from harness.history.records import Audit


def write_decoy(folder: Path) -> Path:
    """Make ``python`` and ``python3`` in `folder`; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        path = folder / name
        path.write_text(f'#!/bin/sh\n{protocol.ENV_DECOY}={name} exec "{sys.executable}" "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return folder


def interpreters(journals: Path, scope: str, now: float) -> Audit:
    """Every process that an agent was born in, and those among them that run in another environment than this one."""
    looked_at, found = 0, []
    for path in sorted(journals.glob("*.jsonl")):
        for line in journal.read(path):
            if line["kind"] != "born":
                continue
            looked_at += 1
            if line["decoy"] or line["prefix"] != sys.prefix:
                command = " ".join(line["argv"][:4])
                found.append({"pid": line["pid"], "prefix": line["prefix"], "decoy": line["decoy"], "command": command})
    return Audit(at=now, name="interpreters", scope=scope, looked_at=looked_at, found=tuple(found))
