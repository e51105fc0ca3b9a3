"""What identifies a simulated run."""

from __future__ import annotations

from pathlib import Path

import msgspec


class SimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a simulated run: ``digest`` of its trace, how many ``events`` and ``choices`` it had, how much
    virtual time passed (``elapsed``, seconds from the world's begin, set-up and tear-down included)."""

    digest: str
    events: int
    choices: int
    elapsed: float

    @classmethod
    def read(cls, path: Path) -> SimRecord | None:
        """The record at `path`; None when there is none."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return None
