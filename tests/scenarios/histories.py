"""Plays simulated runs of scenarios and tells what identifies each; as a script it prints that as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from harness import session
from harness.report.simulated import SimRecord
from harness.scenario.model import World

ROOT = Path(__file__).parents[2] / "scenarios"

RUNS = {
    "load/steady": ("workload.0.stages.0.for=500ms", "workload.0.stages.1.for=2s", "workload.1.count=2"),
    "chaos/handlers_under_fire": ("workload.0.for=8s", "workload.1.count=1", "faults.3.at=2s", "faults.4.at=5s"),
    "cycles/governor": ("cycles.count=1",),
}
"""A load, a storm of faults, a life cycle; each with what makes it short."""


def history(name: str, seed: int) -> dict[str, object]:
    """One run: hashes of its history, its trace and its choices, how much happened, how long it lasted."""
    with tempfile.TemporaryDirectory() as reports:
        (planned,) = session.plan([ROOT / f"{name}.yaml"], world=World.SIM, seeds=[seed], overrides=RUNS[name])
        finished = session.Session(Path(reports)).play(planned)
        folder = finished.folder
        record = SimRecord.read(folder.simulation)
        assert record is not None, finished.verdict.reason
        return {
            "verdict": finished.verdict.outcome.value,
            "history": hashlib.sha256(folder.history.read_bytes()).hexdigest(),
            "tape": hashlib.sha256(folder.tape.read_bytes()).hexdigest(),
            "trace": record.digest,
            "events": record.events,
            "choices": record.choices,
            "elapsed": record.elapsed,
        }


if __name__ == "__main__":
    print(json.dumps({name: history(name, int(sys.argv[1])) for name in RUNS}))
