"""The regression catalogue and what counts as a proof."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import catalog, session
from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.errors import UsageError
from harness.scenario.model import World

pytestmark = pytest.mark.unit

ENTRY = catalog.Entry(id="x", bug="b", scenario="x.yaml", mutant="m", expect="no-lost-job")
REAL = Path(__file__).parents[2] / "scenarios" / "regression" / "catalog.yaml"


def verdict(outcome: Outcome, *failed: str) -> Verdict:
    """A verdict with these failed checks."""
    checks = tuple(
        CheckResult(name=name, when="always", outcome=Outcome.FAIL, samples=1, summary="1 of 9 lost") for name in failed
    )
    return Verdict(scenario="x", seed=1, world="real", outcome=outcome, reason="because", checks=checks)


@pytest.mark.parametrize(
    ("clean", "mutated", "proven"),
    [
        (verdict(Outcome.PASS), verdict(Outcome.FAIL, "no-lost-job"), True),
        (verdict(Outcome.PASS), verdict(Outcome.FAIL, "ports-free", "no-lost-job"), True),
        (verdict(Outcome.PASS), verdict(Outcome.FAIL, "ports-free"), False),
        (verdict(Outcome.PASS), verdict(Outcome.UNSTEADY), True),
        (verdict(Outcome.PASS), verdict(Outcome.PASS), False),
        (verdict(Outcome.PASS), verdict(Outcome.ERROR), False),
        (verdict(Outcome.PASS), verdict(Outcome.INTERRUPTED), False),
        (verdict(Outcome.FAIL, "no-lost-job"), verdict(Outcome.FAIL, "no-lost-job"), False),
        (verdict(Outcome.UNKNOWN), verdict(Outcome.FAIL, "no-lost-job"), False),
    ],
)
def test_a_proof_is_a_clean_pass_and_a_failure_at_the_named_check(
    clean: Verdict, mutated: Verdict, proven: bool
) -> None:
    """Anything else leaves it open whether the guard sees the defect."""
    assert catalog.Proof(ENTRY, clean, mutated).proven is proven


def test_a_proof_tells_the_evidence() -> None:
    """The row holds the failed check; without one, the reason of the verdict."""
    found = catalog.Proof(ENTRY, verdict(Outcome.PASS), verdict(Outcome.FAIL, "no-lost-job")).row()
    nothing = catalog.Proof(ENTRY, verdict(Outcome.PASS), verdict(Outcome.PASS)).row()

    assert found == {
        "id": "x",
        "world": "real",
        "clean": "pass",
        "mutant": "m",
        "with mutant": "fail",
        "proven": "yes",
        "evidence": "no-lost-job: 1 of 9 lost",
    }
    assert (nothing["proven"], nothing["evidence"]) == ("NO", "because")


def test_the_catalogue_of_this_repository_names_what_exists() -> None:
    """What was met so far; scenario, test and mutant of each exist."""
    from harness.targets.schedule_zero import mutants

    entries = catalog.read(REAL)

    assert [entry.id for entry in entries] == [
        "efsm-socket-error",
        "context-leaks",
        "hanging-after-timeout",
        "process-cleanup",
        "pid-file-cleanup",
        "wrong-python-env",
        "start-stop-conflicts",
        "concurrent-races",
        "health-after-lock",
    ]
    root = REAL.parents[2]
    for entry in entries:
        file, _, function = entry.test.partition("::")
        assert entry.path.is_file()
        assert entry.mutant in mutants.REGISTRY
        assert f"def {function}(" in (root / file).read_text("utf-8"), entry.test


@pytest.mark.sim
@pytest.mark.slow
def test_an_entry_is_proven_in_the_world_that_is_asked_for(tmp_path: Path) -> None:
    """Two simulated runs prove that stale pid files would be seen; what is played is said beforehand."""
    (entry,) = (entry for entry in catalog.read(REAL) if entry.id == "pid-file-cleanup")
    said: list[str] = []

    (proof,) = catalog.prove(entry, tmp_path, world=World.SIM, say=said.append)

    assert said == [
        "pid-file-cleanup: clean, world sim",
        "pid-file-cleanup: with mutant pid-file-kept, world sim",
    ]
    assert proof.proven
    assert (proof.row()["world"], proof.clean.world, proof.mutated.world) == ("sim", "sim", "sim")


def test_an_entry_is_proven_in_both_worlds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One proof a world that the scenario names, each clean and with the mutant."""
    played: list[tuple[str, str]] = []

    class Session:
        def __init__(self, reports: Path) -> None:
            pass

        def play(self, run: session.PlannedRun) -> SimpleNamespace:
            played.append((run.world.value, run.mutant))
            return SimpleNamespace(verdict=verdict(Outcome.FAIL if run.mutant else Outcome.PASS, "stale"))

    monkeypatch.setattr(session, "Session", Session)
    (entry,) = (entry for entry in catalog.read(REAL) if entry.id == "pid-file-cleanup")

    proofs = catalog.prove(entry, tmp_path, both=True)

    assert len(proofs) == 2
    assert played == [("real", ""), ("real", "pid-file-kept"), ("sim", ""), ("sim", "pid-file-kept")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entries: 7", "is not a catalogue"),
        ("nothing: []", "is not a catalogue"),
        ("entries: [{id: x, bug: b, scenario: s.yaml}]", "mutant"),
        ("entries: [{id: x, bug: b, scenario: s.yaml, mutant: m, colour: red}]", "colour"),
        ("entries: [", "is not a catalogue"),
    ],
)
def test_a_file_that_is_no_catalogue_is_a_mistake_of_the_caller(tmp_path: Path, text: str, message: str) -> None:
    """The message says what is wrong, and what a catalogue looks like."""
    path = tmp_path / "catalog.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(UsageError, match=message):
        catalog.read(path)


def test_a_catalogue_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(UsageError, match=r"cannot read the catalogue .*: No such file or directory"):
        catalog.read(tmp_path / "none.yaml")
