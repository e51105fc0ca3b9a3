"""What is logged, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LogSettings"]


@dataclass(frozen=True)
class LogSettings:
    """What is logged and where: ``format`` is ``console`` or ``json``; ``file`` None means standard error.

    A log file of `max_bytes` is moved to ``FILE.1``, and `backups` of those are kept; 0 bytes leaves it to grow, and to
    be rotated by others. The same holds for the files in which a governor collects what its children write.
    """

    level: str = "INFO"
    format: str = "console"
    file: Path | None = None
    max_bytes: int = 20 * 1024 * 1024
    backups: int = 5
