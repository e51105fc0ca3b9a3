"""Looking for what a stopped system must not have left: processes, pid files, taken ports, temporary files.

Every search is a function without side effects that answers (how many things were looked at, what was found);
each thing found is a JSON object that says enough to find it again. An empty answer proves something only
together with the first number.
"""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psutil

from harness import descent
from harness.faults.base import RUN_TAG
from harness.faults.ownership import SAME_START

Found = tuple[int, list[dict[str, Any]]]


def tagged_processes(tag: str, *, ignore: Iterable[int] = (), variable: str = RUN_TAG) -> Found:
    """Living processes that run `tag` started, but for the pids in `ignore`.

    Their environment says so, or, of those that were given another, the mark that all descendants inherit (see
    `harness.descent`). Unlike the parent's pid both survive the death of the parent, so that orphans are found too (as
    in mirakuru). Zombies do not count: they hold nothing but an entry, and their parent is told by its own
    audit.
    """
    if not tag:
        raise ValueError("an empty tag marks no processes; give the value of the run's environment variable")
    ignored = frozenset(ignore)
    looked_at, found = 0, []
    for process in sorted(psutil.process_iter(), key=lambda p: p.pid):
        looked_at += 1
        if process.pid not in ignored and descent.belongs(process, tag, variable):
            found.append(describe(process))
    return looked_at, found


def survivors(processes: Iterable[tuple[int, float]]) -> Found:
    """Of processes known by pid and start time (Unix seconds; 0 for any), those that still run. A reused pid is
    not one.
    """
    looked_at, found = 0, []
    for pid, started in sorted(processes):
        looked_at += 1
        if runs(pid, started):
            found.append(describe(psutil.Process(pid)))
    return looked_at, found


def runs(pid: int, started: float = 0.0) -> bool:
    """Whether the process with this pid and start time (Unix seconds; 0 for any) is alive and no zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return not started or abs(process.create_time() - started) <= SAME_START
    except (psutil.Error, ValueError, OverflowError):
        return False


def describe(process: psutil.Process) -> dict[str, Any]:
    """What a person needs to recognise a process; fields that cannot be read are left out."""
    told: dict[str, Any] = {"pid": process.pid}
    for key, ask in (("started", process.create_time), ("command", process.cmdline), ("parent", process.ppid)):
        try:
            value = ask()
        except (psutil.Error, OSError):
            continue
        told[key] = " ".join(value)[:300] if isinstance(value, list) else value
    return told


def pid_files(folder: Path, pattern: str = "*.pid") -> Found:
    """Pid files in `folder`: after a stop none may be there. ``runs`` says whether the process named in it is
    alive.

    The folder itself counts as looked at, so that an empty one is a proof; one that does not exist proves
    nothing.
    """
    if not folder.is_dir():
        return 0, []
    files = sorted(folder.glob(pattern))
    return 1 + len(files), [_pid_file(path) for path in files]


def stale_pid_files(folder: Path, pattern: str = "*.pid") -> Found:
    """Pid files that name a process that is not running (or name none): lies, even while the system is up."""
    looked_at, files = pid_files(folder, pattern)
    return looked_at, [file for file in files if not file["runs"]]


def _pid_file(path: Path) -> dict[str, Any]:
    pid, started = read_pid_file(path)
    return {"path": str(path), "pid": pid, "runs": bool(pid) and runs(pid, started)}


def read_pid_file(path: Path) -> tuple[int, float]:
    """Pid and start time (Unix seconds, 0 when not told) in a pid file: plain text or JSON; pid 0 when there is
    none.
    """
    try:
        text = path.read_text("utf-8").strip()
        data = (
            json.loads(text)
            if text.startswith("{")
            else dict(zip(("pid", "start_time"), text.split(), strict=False))
        )
        return int(data["pid"]), float(data.get("start_time") or data.get("started") or 0.0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0.0


def bound_ports(ports: Iterable[int], host: str = "127.0.0.1") -> Found:
    """TCP ports of `ports` that somebody still listens on, with the holder where it can be seen."""
    looked_at, found = 0, []
    for port in sorted(set(ports)):
        looked_at += 1
        if _taken(host, port):
            found.append({"port": port, "host": host, **_holder(port)})
    return looked_at, found


def _taken(host: str, port: int) -> bool:
    """Whether the port cannot be bound. TIME_WAIT does not count: a server may bind beside it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def _holder(port: int) -> dict[str, Any]:
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return {}
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.pid:
            return {"pid": connection.pid, "state": connection.status}
    return {}


def listening_ports(process: psutil.Process) -> tuple[int, ...]:
    """The TCP ports on which `process` listens now; none when it is gone."""
    try:
        held = [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except (psutil.Error, OSError):
        return ()
    return tuple(sorted(set(held)))


def left_files(folder: Path, before: Iterable[Path] = (), *, patterns: Sequence[str] = ("*",)) -> Found:
    """Files under `folder` whose names match one of `patterns` and that were not there `before`."""
    known = frozenset(before)
    looked_at, found = 0, []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        looked_at += 1
        if (
            path not in known
            and not path.is_dir()
            and any(fnmatchcase(path.name, pattern) for pattern in patterns)
        ):
            found.append({"path": str(path)})
    return looked_at, found
