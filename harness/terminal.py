"""What the command line prints: runs as they go on, verdicts, timelines, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.checks.verdict import Outcome, Verdict
from harness.errors import ExitCode, UsageError
from harness.report import console, jsonout
from harness.report.folder import RunFolder
from harness.report.manifest import Manifest

if TYPE_CHECKING:
    from harness.scenario.loader import LoadedScenario
    from harness.scenario.model import Scenario


def planned_load(scenario: Scenario) -> float | None:
    """Seconds that the load will take by its plan; None where the file does not say, as for cycles."""
    from harness.runner import planned_length

    length = planned_length(scenario)
    return length if length < scenario.limits.run else None


def explain_one(loaded: LoadedScenario, seed: int, *, as_json: bool) -> None:
    """Print what one scenario would do with `seed`, with the times of its faults as they would be drawn; warn of faults
    that cannot strike, or may not."""
    from harness import foresight
    from harness.faults.plan import draw_plan
    from harness.runner import planned_length
    from harness.scenario.explain import Drawn, timeline
    from harness.scenario.streams import Streams

    scenario = loaded.scenario
    plan = draw_plan(scenario, Streams(seed), planned_length(scenario))
    drawn = [Drawn(fault.spec.id, o.start, o.end) for fault in plan for o in fault.occurrences]
    entries = timeline(scenario, seed, drawn)
    for one in foresight.foreseen(loaded):
        click.echo(f"warning: {loaded.source.path}:{loaded.line_of(one.path)}: {one.text}", err=True)
    if as_json:
        rows = [{"lane": e.lane.value, "name": e.name, "what": e.what, "start": e.start, "end": e.end} for e in entries]
        click.echo(json.dumps({"scenario": scenario.name, "seed": seed, "timeline": rows}, indent=2))
        return
    from harness.report.timeline import timeline_lines

    console.show(timeline_lines(f"{scenario.name}, seed {seed}", entries, length=planned_load(scenario)))


def report_again(path: Path, *, as_json: bool) -> ExitCode:
    """Judge a stored run anew by the scenario that is stored with it, write its reports again, print the verdict.

    A run whose harness was killed is not judged: its verdict says how far it came.
    """
    from harness.checks.judge import judge, sum_up
    from harness.checks.load_answered import with_failures
    from harness.report.cutshort import cut_short, is_cut_short
    from harness.report.write import write_reports
    from harness.scenario.loader import load

    stored = RunFolder(path).read()
    if not stored.folder.scenario.is_file():
        raise UsageError(f"{path} holds no scenario.yaml, which every run writes before it begins")
    loaded = load(stored.folder.scenario)[0]
    verdict = stored.verdict
    if (verdict is None or verdict.outcome is Outcome.UNKNOWN) and is_cut_short(stored.history):
        verdict = cut_short(stored.history, stored.manifest)
    elif verdict is None or verdict.outcome in (Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN):
        lines = _lines_of(stored.manifest, loaded)
        checks = judge(loaded.scenario, stored.history, lines=lines)
        outcome, reason = sum_up(loaded.scenario, checks)
        reason = with_failures(reason, loaded.scenario, stored.history)
        if outcome is Outcome.PASS and verdict is not None and _said_of_the_whole(verdict):
            outcome, reason = verdict.outcome, verdict.reason
        verdict = Verdict(
            scenario=loaded.scenario.name,
            seed=stored.manifest.seed,
            world=stored.manifest.world,
            outcome=outcome,
            reason=reason,
            checks=checks,
            duration=stored.history.duration,
        )
    write_reports(stored.folder, loaded.scenario, stored.history, verdict, stored.manifest)
    if as_json:
        click.echo(jsonout.dumps(jsonout.as_json(verdict, stored.manifest, folder=path)))
    else:
        console.show(console.told(verdict, stored.manifest, report=stored.folder.html, folder=path))
    return verdict.outcome.exit_code


def _said_of_the_whole(verdict: Verdict) -> bool:
    """Whether a stored verdict came from no check, and so cannot be found again: that the run was cut at its limit."""
    return bool(verdict.checks) and all(check.outcome is Outcome.PASS for check in verdict.checks)


def _lines_of(manifest: Manifest, fallback: LoadedScenario) -> Any:
    """Lines in the file as it was written, which is what the report shows; those of the resolved scenario if that is
    gone."""
    from harness.errors import ScenarioError
    from harness.scenario.loader import load_text

    try:
        for loaded in load_text(manifest.source, manifest.file or "<stored>"):
            if loaded.scenario.name == manifest.scenario:
                return loaded.line_of
    except ScenarioError:
        pass  # the stored source needed --set to be valid: the resolved scenario is judged all the same
    return fallback.line_of
