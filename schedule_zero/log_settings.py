"""What is logged, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schedule_zero.log_rotation import KEPT, MAX_BYTES

__all__ = ["FORMATS", "LogSettings"]

FORMATS: Final = ("console", "json")
"""How log lines can look."""


@dataclass(frozen=True)
class LogSettings:
    """What is logged and where: ``format`` is one of `FORMATS`; ``file`` None means standard error.

    A log file of `max_bytes` is moved to ``FILE.1``, and `backups` of those are kept; 0 bytes leaves it to grow, and to
    be rotated by others. The same holds for the files in which a governor collects what its children write.
    """

    level: str = "INFO"
    format: str = "console"
    file: Path | None = None
    max_bytes: int = MAX_BYTES
    backups: int = KEPT
