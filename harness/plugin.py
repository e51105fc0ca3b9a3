"""The face toward pytest: markers, options, fixtures, and scenario files as test items.

Loaded by its entry point in every project that has the harness installed, so it imports nothing heavy before a
fixture or a scenario file asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
from harness.pytest.simulated import FIXTURE, MARKER, one_for_each_seed, sections, sim_world

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.pytest.items import ScenarioFile

__all__ = [
    "MARKERS",
    "fake",
    "fault",
    "free_port",
    "governor",
    "governor_driver",
    "leak_guard",
    "mock_handler",
    "mock_handler_factory",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_itemcollected",
    "pytest_runtest_makereport",
    "scenario",
    "scheduler_server",
    "sim_world",
    "zmq_client",
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
    "sim": "runs in the simulated world; options of the fixture sim_world: seed, seeds, those of harness.sim.World",
    "real": "runs in the real world",
    "client": "about the client",
}
"""The markers of this repository and of scenario items, with what each is for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of scenario items. The same things as the options of ``harness run``, under longer names."""
    add = parser.getgroup("harness", "scenario files as tests").addoption
    add("--harness-world", choices=["real", "sim"], help="run scenario files in this world only")
    add(
        "--harness-seed",
        type=int,
        metavar="N",
        help="run scenario files and simulated tests with this seed instead of their own",
    )
    add(
        "--harness-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a value of scenario files, e.g. cycles.count=200",
    )
    add(
        "--harness-report",
        metavar="DIR",
        help="folder for the runs' folders (default: reports in the root folder)",
    )
    add("--harness-mutant", default="", metavar="NAME", help="break the target on purpose")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for name, about in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {about}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Scenario files (YAML with ``scenario: 1`` at the begin of a line) are collected, one item a seed and world."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    from harness.pytest.items import ScenarioFile, is_asked_for, is_scenario

    config = parent.config
    asked = [
        (config.invocation_params.dir / str(argument).split("::")[0]).resolve() for argument in config.args
    ]
    if not is_scenario(file_path) or not is_asked_for(file_path, asked):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A simulated test with ``seeds`` becomes one test a seed."""
    one_for_each_seed(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that use `sim_world` have the marker ``sim``, as scenario items of that world have."""
    if FIXTURE in getattr(item, "fixturenames", ()) and item.get_closest_marker(MARKER) is None:
        item.add_marker(MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A simulated test that failed tells its seed, and how to run it again."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections += sections(item)
    return report
