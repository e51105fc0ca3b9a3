"""Faults of a run that struck, did not, or could not be healed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.agent.journal import Journal
from harness.agent.protocol import socket_path
from harness.agent.server import AgentServer
from harness.checks.verdict import Outcome
from harness.errors import FaultError
from harness.history.records import Fault, FaultEvent
from harness.runner import RunResult
from harness.scenario.model import Scenario
from harness.targets.base import Place, PlaceKind

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


class StubbornAgent:
    """An agent that takes a switch and refuses to take it back."""

    def __init__(self, directory: Path) -> None:
        self.server = AgentServer(directory, Journal(directory / "journal" / "1.jsonl"))
        self.server.command("switch", self._switch)
        self.server.start()

    def _switch(self, name: str, value: Any = None, lift: int | None = None) -> dict[str, Any]:
        if lift is not None:
            raise RuntimeError("stuck")
        return {"before": None, "layer": 1}


@pytest.fixture
def stubborn() -> Iterator[Place]:
    """The place of a handler whose fault cannot be healed."""

    with tempfile.TemporaryDirectory(prefix="hf-") as name:
        agent = StubbornAgent(Path(name))
        yield Place(PlaceKind.HANDLER, "h1", "handlers", pid=os.getpid(), control=str(socket_path(name, os.getpid())))
        agent.server.close()
        agent.server.journal.close()


def test_a_fault_that_cannot_be_healed_is_an_error_after_a_full_teardown(
    scripts: Any, driver: FakeDriver, short: Short, play: Play, stubborn: Place
) -> None:
    """The record says that healing failed, the verdict which fault it was, and everything is taken down."""
    driver.places_now = [stubborn]
    scenario = short(faults=[{"id": "mute", "kind": "handler.silent", "where": "h1", "at": "10ms", "for": "20ms"}])

    result = play(scenario)

    assert result.verdict.outcome is Outcome.ERROR
    assert isinstance(result.error, FaultError)
    assert "mute" in result.verdict.reason
    assert [f.event for f in result.history.of(Fault)][-1] is FaultEvent.FAILED
    assert driver.order == ["start", *scripts.torn_down]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"at": "50s"}, "its time comes after the run's end at 0.05 s"),
        ({"when": {"event": "process.exited", "nth": 1}}, "process.exited had come 0 times"),
        ({"at": "0s", "where": "h9"}, "'h9' selects nothing"),
    ],
)
def test_a_run_without_its_fault_proves_nothing(
    driver: FakeDriver, short: Short, play: Play, fault: dict[str, Any], why: str
) -> None:
    """All that was demanded holds, and what it should have held against never came: unknown, with the fault and why."""
    scenario = short(faults=[{"id": "late", "kind": "process.kill", "where": "h1", **fault}])

    result = play(scenario)

    assert result.verdict.outcome is Outcome.UNKNOWN
    assert [(c.name, c.outcome) for c in result.verdict.failures] == [("faults-injected", Outcome.UNKNOWN)]
    assert "the fault late (process.kill) never struck" in result.verdict.reason
    assert why in result.verdict.reason
