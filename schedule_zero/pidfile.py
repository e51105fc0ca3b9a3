"""Pid files that name a process for certain, though its number may have been given to another since.

A file holds ``{"pid": 4711, "start_time": 1763748000.12, "birth": "<boot>:<ticks>"}``. ``start_time`` is
psutil's ``create_time`` in Unix seconds, for people and other tools. ``birth`` is what the kernel says since
boot: steps of the clock move the first and cannot move the second, which is why it decides where it exists
(Linux).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from schedule_zero.files import write_atomically

__all__ = ["PidFile", "PidRecord", "is_alive", "record_of"]

_SAME = 0.02  # seconds by which two readings of one create_time may differ: two clock ticks


@dataclass(frozen=True)
class PidRecord:
    """One process, once and for all: its number and its birth."""

    pid: int
    start_time: float
    birth: str | None = None


class PidFile:
    """The file that says which process plays a part.

    >>> import os, tempfile
    >>> file = PidFile(Path(tempfile.mkdtemp()) / "server.pid")
    >>> file.write(os.getpid())
    >>> is_alive(file.read())
    True
    >>> file.remove()
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, pid: int) -> None:
        """Record a process; one that has ended already gets start time 0, so it never counts as alive."""
        record = record_of(pid) or PidRecord(pid, 0.0)
        write_atomically(self.path, json.dumps(asdict(record)))

    def read(self) -> PidRecord | None:
        """What the file says; None when it is absent or not understandable."""
        try:
            data = json.loads(self.path.read_text("utf-8"))
            pid, start = int(data["pid"]), float(data["start_time"])
            birth = data.get("birth")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return PidRecord(pid, start, birth if isinstance(birth, str) else None) if pid > 0 else None

    def remove(self) -> None:
        """Remove the file; an absent one is no error."""
        self.path.unlink(missing_ok=True)


def record_of(pid: int) -> PidRecord | None:
    """The record of a process that exists now; None when there is none or it is a zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return PidRecord(pid, process.create_time(), _birth(pid))
    except psutil.Error:
        return None


def is_alive(record: PidRecord | None) -> bool:
    """Whether the very process that was recorded still runs."""
    now = record_of(record.pid) if record else None
    if record is None or now is None:
        return False
    if record.birth is not None and now.birth is not None:
        return record.birth == now.birth
    return abs(record.start_time - now.start_time) <= _SAME


def _birth(pid: int) -> str | None:
    """Boot id and start in clock ticks since boot (proc(5), field 22 of stat); None without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The command name stands in parentheses and may itself contain them: the last one ends it.
    fields = stat.rpartition(")")[2].split()
    return f"{boot}:{fields[19]}"
