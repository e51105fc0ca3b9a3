"""The regression catalogue: every defect once met, what guards against it, and the proof that the guard would catch it.

``scenarios/regression/catalog.yaml`` lists entries. Each names a defect, the test and the scenario that guard it, and
the *mutant* of the target that brings the defect back. An entry is proven when its scenario passes on the clean target
and fails on the mutant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.checks.verdict import Outcome, Verdict
from harness.errors import UsageError
from harness.scenario.model import World

CAUGHT = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.UNSTEADY)
"""What a guard may say of a mutant. A harness error catches nothing: it would hide that the guard is blind."""


class Entry(BaseModel):
    """One defect: its ``id``, what it was, the pytest node that guards it, the scenario (relative to the catalogue),
    the mutant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    bug: str
    test: str = ""
    scenario: str
    mutant: str
    expect: str = ""
    """A piece of the name of the check that must fail with the mutant; any, when empty."""
    folder: Path = Path()

    @property
    def path(self) -> Path:
        """The scenario file."""
        return self.folder / self.scenario

    def row(self) -> dict[str, str]:
        """The entry as a row of a table."""
        return {"id": self.id, "bug": self.bug, "test": self.test, "scenario": str(self.path), "mutant": self.mutant}


@dataclass(frozen=True)
class Proof:
    """What the two runs of one entry said."""

    entry: Entry
    clean: Verdict
    mutated: Verdict

    @property
    def proven(self) -> bool:
        """Whether the guard passes without the mutant, and with it fails at the check that the entry names."""
        caught = self.mutated.outcome in CAUGHT
        named = (
            any(self.entry.expect in c.name for c in self.mutated.failures) or self.mutated.outcome is Outcome.UNSTEADY
        )
        return self.clean.outcome is Outcome.PASS and caught and (named or not self.entry.expect)

    def row(self) -> dict[str, str]:
        """The proof as a row of a table, with the evidence that the mutant gave."""
        first = next(iter(self.mutated.failures), None)
        said = f"{first.name}: {first.summary}" if first else self.mutated.reason
        return {
            "id": self.entry.id,
            "world": self.clean.world,
            "clean": self.clean.outcome.value,
            "mutant": self.entry.mutant,
            "with mutant": self.mutated.outcome.value,
            "proven": "yes" if self.proven else "NO",
            "evidence": said,
        }


def read(path: Path) -> list[Entry]:
    """The entries of a catalogue; raises `UsageError` for a file that is none."""
    try:
        data: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        return [Entry.model_validate({**entry, "folder": path.parent}) for entry in data["entries"]]
    except OSError as error:
        raise UsageError(f"cannot read the catalogue {path}: {error.strerror}") from error
    except (YAMLError, ValidationError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is not a catalogue (`entries:` with id, bug, scenario, mutant): {error}") from error


def prove(
    entry: Entry,
    reports: Path,
    *,
    world: World | None = None,
    both: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[Proof]:
    """Run the guard of one entry twice: clean, then with its mutant. One proof in `world`, by default the first that
    the scenario names; with `both` one in each of them."""
    from harness import session

    def runs(mutant: str) -> list[session.PlannedRun]:
        return session.plan([entry.path], world=world, both=both, mutant=mutant)

    def play(run: session.PlannedRun) -> Verdict:
        how = f"with mutant {run.mutant}" if run.mutant else "clean"
        say(f"{entry.id}: {how}, world {run.world.value}")
        return session.Session(reports).play(run).verdict

    pairs = zip(runs(""), runs(entry.mutant), strict=True)
    return [Proof(entry, play(clean), play(mutated)) for clean, mutated in pairs]
