"""Everything a finished run leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.checks.verdict import Verdict
from harness.errors import HarnessError
from harness.history.history import remedy
from harness.report.distributions import measured
from harness.report.folder import RunFolder
from harness.report.html import render
from harness.report.junit import write_junit
from harness.report.manifest import Manifest
from harness.scenario.dump import dump

if TYPE_CHECKING:
    from harness.history.history import History
    from harness.scenario.model import Scenario


def write_beginning(folder: RunFolder, scenario: Scenario, manifest: Manifest) -> None:
    """Write what is known before a run begins: a run that is killed must be understood from its folder.

    Raises `HarnessError` naming the file that could not be written.
    """
    try:
        manifest.write(folder.manifest)
        folder.scenario.write_text(dump(scenario, full=True), encoding="utf-8")
    except OSError as error:
        raise _not_written(error, folder) from error


def write_reports(
    folder: RunFolder, scenario: Scenario, history: History, verdict: Verdict, manifest: Manifest
) -> None:
    """Write manifest, verdict and resolved scenario, then each format that the scenario asks for.

    The history is written only where the recorder has not done so. What matters most comes first: a disk that
    runs full costs the report for people before it costs the verdict. Raises `HarnessError` naming the file
    that could not be written.
    """
    try:
        write_beginning(folder, scenario, manifest)
        write_verdict(folder.verdict, verdict)
        if not folder.history.exists():
            history.write(folder.history)
        if "junit" in scenario.report.formats:
            write_junit(folder.junit, verdict, manifest)
        if "html" in scenario.report.formats:
            page = render(
                history, verdict, manifest, logs=folder.log_tails(), measured=measured(history, scenario)
            )
            folder.html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise _not_written(error, folder) from error


def _not_written(error: OSError, folder: RunFolder) -> HarnessError:
    return HarnessError(f"cannot write {error.filename or folder.path}: {error.strerror or error}{remedy(error)}")


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write the verdict as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(verdict, enc_hook=str), indent=2) + b"\n")
