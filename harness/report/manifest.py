"""What a run was made with: enough to understand it years later, in one JSON file."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil

from harness.errors import UsageError
from harness.report.simulated import SimRecord
from harness.report.text import readable

FORMAT = 1
"""Version of the file; a reader refuses a newer one."""

_PACKAGES = (
    "harness",
    "pyzmq",
    "apscheduler",
    "anyio",
    "sqlalchemy",
    "aiosqlite",
    "tornado",
    "msgspec",
    "pydantic",
    "faker",
    "hdrhistogram",
    "psutil",
)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine a run was made on; its name is left out on purpose. ``memory`` is in bytes."""

    platform: str
    kernel: str
    architecture: str
    processors: int
    memory: int


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting in force, and who set it: ``default``, ``file``, ``environment`` or ``command line``."""

    value: Any
    source: str = "file"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One run's manifest. ``started`` and ``ended`` are ISO wall time in UTC, ``duration`` is wall seconds,
    None while it runs.

    ``again`` is the shell line that runs it again, ``source`` the text of the scenario file as it was written
    (so that a report can show its lines, and a replay play it), ``overrides`` and ``mutant`` what the command line
    added to it. ``simulation`` identifies a simulated run.
    """

    format: int = FORMAT
    scenario: str
    file: str = ""
    about: str = ""
    kind: str = ""
    world: str
    seed: int
    started: str
    ended: str = ""
    duration: float | None = None
    command: tuple[str, ...] = ()
    again: str = ""
    versions: dict[str, str] = {}
    commit: str = ""
    machine: Machine
    settings: dict[str, Setting] = {}
    source: str = ""
    overrides: tuple[str, ...] = ()
    mutant: str = ""
    simulation: SimRecord | None = None

    def finish(self, ended: datetime | None = None, simulation: SimRecord | None = None) -> Manifest:
        """The same manifest with its end filled in (now, unless given), and with what a simulated run was."""
        ended = ended or datetime.now(UTC)
        took = (ended - datetime.fromisoformat(self.started)).total_seconds()
        return msgspec.structs.replace(
            self,
            ended=ended.isoformat(timespec="milliseconds"),
            duration=round(took, 3),
            simulation=simulation or self.simulation,
        )

    def write(self, path: Path) -> None:
        """Write it as indented JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read one; raises `UsageError` when the file is missing, broken or of a newer format."""
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise UsageError(f"cannot read the manifest {path}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"{path} is no manifest of a run: {error}") from error
        if manifest.format > FORMAT:
            raise UsageError(
                f"{path} has format {manifest.format}; this harness reads up to {FORMAT}: use a newer one"
            )
        return manifest


def build(
    *,
    scenario: str,
    world: str,
    seed: int,
    file: str = "",
    about: str = "",
    kind: str = "",
    command: Sequence[str] | None = None,
    again: str = "",
    settings: dict[str, Setting] | None = None,
    source: str = "",
    overrides: Sequence[str] = (),
    mutant: str = "",
    started: datetime | None = None,
    packages: Sequence[str] = (),
) -> Manifest:
    """The manifest of a run that begins now.

    `command` defaults to this process's own, `packages` adds to the versions kept.
    """
    return Manifest(
        scenario=scenario,
        file=readable(file),
        about=about,
        kind=kind,
        world=world,
        seed=seed,
        source=source,
        overrides=tuple(map(readable, overrides)),
        mutant=mutant,
        started=(started or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        command=tuple(map(readable, sys.argv if command is None else command)),
        again=readable(again),
        versions=versions(packages),
        commit=commit(Path(file).parent if file else Path()),
        machine=machine(),
        settings=settings or {},
    )


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Versions of Python, libzmq and the packages that a run's behaviour depends on.

    What is not installed is left out.
    """
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for name in dict.fromkeys((*_PACKAGES, *more)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "pyzmq" in found:
        import zmq

        found["libzmq"] = zmq.zmq_version()
    return found


def commit(folder: Path) -> str:
    """The git commit checked out in `folder`, with ``+changes`` when files differ from it.

    Empty outside of git.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        dirty = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+changes" if dirty else head


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()


def machine() -> Machine:
    """This machine, without its name."""
    return Machine(
        platform=platform.system(),
        kernel=platform.release(),
        architecture=platform.machine(),
        processors=psutil.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
    )
