"""The face toward pytest: markers, options, fixtures, and scenario files as test items.

Loaded by its entry point in every project that has the harness installed, so it imports nothing heavy before a fixture or a
scenario file asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.pytest.fixtures import (
    fake,
    fault,
    free_port,
    governor,
    governor_driver,
    leak_guard,
    mock_handler,
    mock_handler_factory,
    scenario,
    scheduler_server,
    zmq_client,
)

__all__ = [
    "fake", "fault", "free_port", "governor", "governor_driver", "leak_guard", "mock_handler", "mock_handler_factory", "scenario",
    "scheduler_server", "zmq_client",
]

MARKERS = {
    "unit": "fast and isolated",
    "integration": "several components together, real processes or sockets",
    "regression": "guards a defect that was once met",
    "zmq": "about ZeroMQ",
    "governor": "about a governor",
    "slow": "takes long",
    "load": "a load scenario",
    "cycles": "a cycles scenario",
    "chaos": "a chaos scenario",
    "sim": "runs in the simulated world",
    "real": "runs in the real world",
    "client": "about the client",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of scenario items; each also has an ini setting or a default."""
    group = parser.getgroup("harness", "scenario files as tests")
    group.addoption("--harness-world", choices=["real", "sim"], default=None, help="run scenario files in this world only")
    group.addoption("--harness-seed", type=int, default=None, help="run scenario files with this seed")
    group.addoption("--harness-set", action="append", default=[], metavar="KEY=VALUE", help="override a value of scenario files")
    group.addoption("--harness-report", default=None, metavar="DIR", help="folder for the runs' folders (default: reports)")
    group.addoption("--harness-mutant", default="", metavar="NAME", help="break the target on purpose")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for name, about in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {about}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Scenario files (YAML whose first key is ``scenario``) are collected, one item a seed and world."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    from harness.pytest.items import ScenarioFile, is_scenario

    return ScenarioFile.from_parent(parent, path=file_path) if is_scenario(file_path) else None
