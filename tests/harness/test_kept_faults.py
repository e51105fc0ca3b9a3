"""Faults with ``keep: true``: on until the run is over, and no longer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.history.records import Edge, Fault, FaultEvent, Phase, PhaseName
from harness.runner import Run
from harness.targets.base import Place, PlaceKind

if TYPE_CHECKING:
    from harness.scenario.model import Scenario

pytestmark = pytest.mark.integration


def test_a_kept_fault_lasts_beyond_the_run_and_is_healed_before_the_target_is_stopped(
    driver: Any, short: Callable[..., Scenario], tmp_path: Path
) -> None:
    """The store stays locked through the settling, and can be written again once the run is over."""
    path = tmp_path / "jobs.db"
    sqlite3.connect(path).close()
    driver.places_now = [Place(PlaceKind.STORE, "store", "stores", path=path)]
    scenario = short(faults=[{"id": "busy", "kind": "store.locked", "where": "store", "at": "10ms", "keep": True}])

    history = asyncio.run(Run(scenario, driver, 1, tmp_path).run()).history

    healed = [fault.at for fault in history.of(Fault) if fault.event is FaultEvent.HEALED]
    settled = [p.at for p in history.of(Phase) if (p.name, p.edge) == (PhaseName.SETTLE, Edge.END)]
    teardown = [p.at for p in history.of(Phase) if (p.name, p.edge) == (PhaseName.TEARDOWN, Edge.BEGIN)]
    assert len(healed) == len(settled) == len(teardown) == 1
    assert settled[0] <= healed[0] <= teardown[0]
    connection = sqlite3.connect(path, timeout=0.1)
    connection.execute("CREATE TABLE free (x)")
    connection.close()
