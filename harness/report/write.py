"""Everything a finished run leaves in its folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.checks.verdict import Verdict
from harness.errors import HarnessError
from harness.report.distributions import measured
from harness.report.folder import RunFolder
from harness.report.html import render
from harness.report.junit import write_junit
from harness.report.manifest import Manifest

if TYPE_CHECKING:
    from harness.history.history import History
    from harness.scenario.model import Scenario


def write_reports(
    folder: RunFolder, scenario: Scenario, history: History, verdict: Verdict, manifest: Manifest
) -> None:
    """Write manifest, verdict and resolved scenario, then each format that the scenario asks for.

    The history is written only where the recorder has not done so. What matters most comes first: a disk that
    runs full costs the report for people before it costs the verdict. Raises `HarnessError` naming the file
    that could not be written.
    """
    try:
        manifest.write(folder.manifest)
        write_verdict(folder.verdict, verdict)
        if not folder.history.exists():
            history.write(folder.history)
        folder.scenario.write_text(resolved(scenario), encoding="utf-8")
        if "junit" in scenario.report.formats:
            write_junit(folder.junit, verdict, manifest)
        if "html" in scenario.report.formats:
            page = render(
                history, verdict, manifest, logs=folder.log_tails(), measured=measured(history, scenario)
            )
            folder.html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"cannot write {error.filename or folder.path}: {error.strerror or error}"
        ) from error


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write the verdict as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(verdict, enc_hook=str), indent=2) + b"\n")


def resolved(scenario: Scenario) -> str:
    """The scenario as YAML with every default filled in; `harness.scenario.loader` reads it back."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # keep the order of the model's fields
    out = io.StringIO()
    yaml.dump(_without_none(scenario.model_dump(mode="json", by_alias=True)), out)
    return out.getvalue()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
