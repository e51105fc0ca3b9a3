"""The folder that a run leaves behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.checks.verdict import Verdict
from harness.errors import UsageError
from harness.report.manifest import Manifest
from harness.report.text import readable

if TYPE_CHECKING:
    from harness.history.history import History

_UNSAFE = re.compile(r"[^A-Za-z0-9._\-]+")


@dataclass(frozen=True)
class StoredRun:
    """What a folder holds; ``verdict`` is None when the run ended before it was judged."""

    folder: RunFolder
    manifest: Manifest
    history: History
    verdict: Verdict | None


@dataclass(frozen=True)
class RunFolder:
    """The paths inside one run's folder, which need not exist.

    >>> RunFolder(Path("reports/x")).history.as_posix()
    'reports/x/history.jsonl'
    """

    path: Path

    @property
    def manifest(self) -> Path:
        """Versions, commit, seed, machine, command, settings in force."""
        return self.path / "manifest.json"

    @property
    def history(self) -> Path:
        """What happened, one record a line."""
        return self.path / "history.jsonl"

    @property
    def verdict(self) -> Path:
        """The judgement."""
        return self.path / "verdict.json"

    @property
    def junit(self) -> Path:
        """The judgement for a build server."""
        return self.path / "junit.xml"

    @property
    def html(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def scenario(self) -> Path:
        """The scenario as it was resolved."""
        return self.path / "scenario.yaml"

    @property
    def tape(self) -> Path:
        """The choices of a simulated run, to make them again; absent for a real one."""
        return self.path / "tape.jsonl"

    @property
    def simulation(self) -> Path:
        """What identifies a simulated run: the hash of all that happened; absent for a real one."""
        return self.path / "simulation.json"

    @property
    def logs(self) -> Path:
        """The folder with one log a process."""
        return self.path / "logs"

    @classmethod
    def create(
        cls, reports: Path, name: str, world: str, seed: int, *, started: datetime | None = None
    ) -> RunFolder:
        """Make ``<time>-<name>-<world>-<seed>`` below `reports`, and its logs; a counter keeps it unique.

        The time is UTC, so that folders sort by it. Raises `UsageError` when the place is not writable.
        """
        if (named := readable(str(reports.absolute()))) != str(reports.absolute()):
            raise UsageError(
                f"cannot write reports below {named}: its name is no UTF-8; choose another with --report DIR"
            )
        stamp = (started or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%d-%H%M%S")
        base = f"{stamp}-{_UNSAFE.sub('_', name)}-{_UNSAFE.sub('_', world)}-{seed}"
        for attempt in range(1, 10_000):
            folder = cls(reports / (base if attempt == 1 else f"{base}-{attempt}"))
            try:
                folder.path.mkdir(parents=True)
                folder.logs.mkdir()
            except FileExistsError:
                if reports.exists() and not reports.is_dir():
                    raise UsageError(
                        f"cannot write reports below {reports}: it is a file, expected a folder"
                    ) from None
                continue
            except OSError as error:
                raise UsageError(
                    f"cannot write reports below {reports}: {error.strerror}; "
                    "choose another place with --report DIR"
                ) from error
            return folder
        raise UsageError(f"{reports} holds ten thousand runs of {base}: clear it out")

    def read(self) -> StoredRun:
        """Read a finished or broken-off run back; raises `UsageError` saying what the folder lacks.

        A run that ended before its run phase has no history file: its history is empty.
        """
        from harness.history.history import History
        from harness.history.records import Header

        if not self.path.is_dir():
            raise UsageError(
                f"{self.path} is no folder: expected the folder of a run, such as reports/<time>-<name>-real-1"
            )
        if not self.manifest.is_file():
            lacking = [p.name for p in (self.manifest, self.history) if not p.is_file()]
            raise UsageError(f"{self.path} is not the folder of a run: it has no {' and no '.join(lacking)}")
        manifest = Manifest.read(self.manifest)
        if self.history.is_file():
            history = History.read(self.history)
        else:
            history = History(Header(scenario=manifest.scenario, seed=manifest.seed, world=manifest.world))
        return StoredRun(self, manifest, history, self._read_verdict())

    def _read_verdict(self) -> Verdict | None:
        if not self.verdict.is_file():
            return None
        try:
            return msgspec.json.decode(self.verdict.read_bytes(), type=Verdict)
        except msgspec.DecodeError as error:
            raise UsageError(f"{self.verdict} is no verdict of a run: {error}") from error

    def log_tails(self, *, lines: int = 60, limit: int = 12_000) -> dict[str, str]:
        """The end of every log by file name: at most `lines` lines and `limit` bytes each.

        Unreadable files are left out.
        """
        if not self.logs.is_dir():
            return {}
        found = {}
        for path in sorted(self.logs.rglob("*")):
            if path.is_file():
                text = _tail(path, lines, limit)
                if text:
                    found[path.relative_to(self.logs).as_posix()] = text
        return found


def _tail(path: Path, lines: int, limit: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            data = file.read(limit)
    except OSError:
        return ""
    kept = data.decode("utf-8", "replace").splitlines()
    cut = size > limit or len(kept) > lines
    kept = kept[1:] if size > limit else kept
    return "\n".join((["[…]"] if cut else []) + kept[-lines:])
