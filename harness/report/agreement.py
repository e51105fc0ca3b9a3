"""Verdicts of one scenario in several worlds held against each other.

A scenario that passes in simulation and fails on real processes (or the other way round) says that one of the two
worlds is wrong: such rows are what the table is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.report.console import Line

_STYLES = {"pass": "green", "fail": "bold red", "unknown": "bold yellow"}
ABSENT = "-"
"""Stands for a world that a scenario was not run in."""


@dataclass(frozen=True)
class Row:
    """One scenario with one seed: its outcome by world, and the checks on which the worlds differ."""

    scenario: str
    seed: int
    outcomes: Mapping[str, Outcome]
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool | None:
        """Whether all worlds came to the same outcome; None with fewer than two of them."""
        return None if len(self.outcomes) < 2 else len(set(self.outcomes.values())) == 1

    def as_json(self) -> dict[str, object]:
        """The row for machines."""
        outcomes = {world: outcome.value for world, outcome in self.outcomes.items()}
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "outcomes": outcomes,
            "agree": self.agree,
            "differences": list(self.differences),
        }


def agreement(verdicts: Iterable[Verdict]) -> list[Row]:
    """One row for each scenario and seed, in the order in which they first came."""
    grouped: dict[tuple[str, int], dict[str, Verdict]] = {}
    for verdict in verdicts:
        grouped.setdefault((verdict.scenario, verdict.seed), {})[verdict.world] = verdict
    return [_row(scenario, seed, worlds) for (scenario, seed), worlds in grouped.items()]


def _row(scenario: str, seed: int, worlds: Mapping[str, Verdict]) -> Row:
    outcomes = {world: verdict.outcome for world, verdict in sorted(worlds.items())}
    return Row(scenario, seed, outcomes, tuple(_differences(worlds)))


def _differences(worlds: Mapping[str, Verdict]) -> Iterable[str]:
    """Each check on which the worlds differ, in words."""
    found: dict[tuple[str, str], dict[str, CheckResult]] = {}
    for world, verdict in sorted(worlds.items()):
        for check in verdict.checks:
            found.setdefault((check.when, check.name), {})[world] = check
    for (when, name), by_world in found.items():
        if len({check.outcome for check in by_world.values()}) > 1:
            told = ", ".join(f"{world} {check.outcome.value}" for world, check in by_world.items())
            yield f"{when} {name}: {told}"


def told(rows: Iterable[Row]) -> list[Line]:
    """The table as lines for a terminal, the last one with the sum."""
    rows = list(rows)
    worlds = sorted({world for row in rows for world in row.outcomes})
    width = max((len(row.scenario) for row in rows), default=8)
    lines: list[Line] = [[(f"{'scenario':<{width}}  {'seed':>10}", "bold"), *((f"  {w:<11}", "bold") for w in worlds)]]
    for row in rows:
        cells = [(row.outcomes[w].value if w in row.outcomes else ABSENT) for w in worlds]
        mark = {True: "agree", False: "DIFFER", None: "one world only"}[row.agree]
        lines.append(
            [
                (f"{row.scenario:<{width}}  {row.seed:>10}", ""),
                *((f"  {cell:<11}", _STYLES.get(cell, "")) for cell in cells),
                (f"  {mark}", "bold red" if row.agree is False else ""),
            ]
        )
        lines += [[(f"    {difference}", "dim")] for difference in row.differences]
    compared = [row for row in rows if row.agree is not None]
    agreed = sum(row.agree is True for row in compared)
    lines.append([(f"{agreed} of {len(compared)} agree", "bold")])
    return lines
