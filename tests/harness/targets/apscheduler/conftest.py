"""A target of this driver, made without a runner, in a folder of the test's own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.history.recorder import Recorder
from harness.scenario.model import Scenario
from harness.targets.apscheduler.target import ApschedulerTarget
from harness.targets.base import TargetContext

Make = Callable[..., ApschedulerTarget]


def scenario(target: dict[str, Any], scheduler: dict[str, Any]) -> Scenario:
    """A scenario for this driver that does nothing of note."""
    return Scenario.model_validate(
        {
            "scenario": 1,
            "name": "made.here",
            "kind": "regression",
            "limits": {"setup": "20s"},
            "target": {"driver": "apscheduler", **target},
            "topology": {"scheduler": scheduler},
            "when": [{"advance": "1s"}],
            "then": ["fires-as-modelled"],
        }
    )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a target: with these options, this store (empty: none is named), these further keys of the scheduler."""

    def made(
        mutant: str = "",
        store: str = "memory",
        folder: str = "",
        scheduler: dict[str, Any] | None = None,
        **target: Any,
    ) -> ApschedulerTarget:
        recorder = Recorder(clock=lambda: time.monotonic())
        context = TargetContext(tmp_path / folder, random.Random(1), recorder, mutant)
        named = {"store": store} if store else {}
        return ApschedulerTarget(scenario(target, {**named, **(scheduler or {})}), context)

    return made
