"""Several runs at once, each in an interpreter of its own, so that none disturbs another's event loop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks.verdict import Verdict
from harness.errors import HarnessError
from harness.report.folder import RunFolder
from harness.report.manifest import Manifest

if TYPE_CHECKING:
    from harness.session import PlannedRun


@dataclass(frozen=True)
class Played:
    """A run that another process played, read back from its folder."""

    folder: RunFolder
    manifest: Manifest
    verdict: Verdict


def play_in_processes(planned: Sequence[PlannedRun], reports: Path, workers: int) -> Iterator[Played]:
    """Play `planned`, `workers` at a time, and yield each as it ends.

    A Ctrl-C reaches the processes themselves, since they belong to the same terminal; each tears its target down. Raises
    `HarnessError` for a process that ended without a verdict.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="run") as pool:
        futures = [pool.submit(_play, run, reports) for run in planned]
        try:
            for future in as_completed(futures):
                yield future.result()
        except KeyboardInterrupt:
            for future in futures:
                future.cancel()
            for future in futures:
                if not future.cancelled():
                    yield future.result()


def _play(run: PlannedRun, reports: Path) -> Played:
    name = run.loaded.scenario.name
    command = [sys.executable, "-m", *run.words(), "--only", name, "--report", str(reports), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    try:
        told = json.loads(done.stdout)[0]
    except (ValueError, IndexError):
        raise HarnessError(f"the run of {name} ended with code {done.returncode} and no verdict: {done.stderr.strip()}") from None
    folder = RunFolder(Path(told["report"]))
    stored = folder.read()
    if stored.verdict is None:
        raise HarnessError(f"the run of {name} left no verdict in {folder.path}")
    return Played(folder, stored.manifest, stored.verdict)
