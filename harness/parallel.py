"""Several runs at once, each in an interpreter of its own, so that none disturbs another's event loop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checks.verdict import Verdict
from harness.errors import HarnessError
from harness.report.folder import RunFolder
from harness.report.manifest import Manifest
from harness.scenario.model import World
from harness.stopping import caught_by

if TYPE_CHECKING:
    from harness.session import PlannedRun


@dataclass(frozen=True)
class Played:
    """A run that another process played, read back from its folder; `document` is what that process said of it."""

    planned: PlannedRun
    folder: RunFolder
    manifest: Manifest
    verdict: Verdict
    document: dict[str, Any]


def play_in_processes(
    planned: Sequence[PlannedRun], reports: Path, workers: int, *, twice: bool = False
) -> Iterator[Played]:
    """Play `planned`, `workers` at a time, and yield each as it ends; simulated ones `twice`, to compare.

    Signals that ask to stop are passed on to the processes, each of which tears its target down, and no further
    run is begun; a second one is passed on as well. When this process is killed, they see it and do the same. Raises
    `HarnessError` for a process that ended without a verdict.
    """
    with (
        contextlib.closing(_Children()) as children,
        ThreadPoolExecutor(workers, thread_name_prefix="run") as pool,
        caught_by(children.interrupt),
    ):
        futures = [pool.submit(_play, run, reports, children, twice) for run in planned]
        for future in as_completed(futures):
            if (played := future.result()) is not None:
                yield played


class _Children:
    """The processes that play now. Once interrupted, no other is begun."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal may come while this very thread holds it
        self._living: list[subprocess.Popen[str]] = []
        self.interrupted = False
        self.lifeline, self._held = os.pipe()
        """What each of them watches (`harness.lifeline`); the other end is closed when this process ends."""

    def close(self) -> None:
        """All of them have ended."""
        os.close(self._held)
        os.close(self.lifeline)

    def begin(self, command: Sequence[str]) -> subprocess.Popen[str] | None:
        """Start a process in a session of its own (a Ctrl-C comes by `interrupt` only, so once); None after an
        interrupt.
        """
        with self._lock:
            if self.interrupted:
                return None
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                pass_fds=(self.lifeline,),
            )
            self._living.append(child)
            return child

    def ended(self, child: subprocess.Popen[str]) -> None:
        """It has been waited for."""
        with self._lock:
            self._living.remove(child)

    def interrupt(self) -> None:
        """Pass an interrupt on to each of them."""
        with self._lock:
            self.interrupted = True
            for child in self._living:
                # Not SIGINT: what was started in the background of a script ignores it, and so do its children.
                child.send_signal(signal.SIGTERM)


def _play(run: PlannedRun, reports: Path, children: _Children, twice: bool) -> Played | None:
    name = run.loaded.scenario.name
    command = [
        sys.executable,
        "-m",
        *run.words(),
        "--only",
        name,
        "--report",
        str(reports),
        "--json",
        "--quiet",
        "--lifeline-fd",
        str(children.lifeline),
    ]
    if twice and run.world is World.SIM:
        command.append("--check-determinism")
    child = children.begin(command)
    if child is None:
        return None
    try:
        told, said = child.communicate()
    finally:
        children.ended(child)
    try:
        document = json.loads(told)[0]
        path = Path(document["report"])
    except (ValueError, LookupError, TypeError):
        if children.interrupted:
            return None  # it was interrupted before there was anything to judge
        raise HarnessError(
            f"the run of {name} ended with code {child.returncode} and no verdict: {said.strip()}"
        ) from None
    folder = RunFolder(path)
    stored = folder.read()
    if stored.verdict is None:
        raise HarnessError(f"the run of {name} left no verdict in {folder.path}")
    return Played(run, folder, stored.manifest, stored.verdict, document)
