"""What all tests of this repository share: none of them leaves anything behind."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.leaks import guarded

pytest_plugins = ["pytester"]

_MORE_THAN_A_UNIT = ("integration", "regression", "governor", "slow", "load", "cycles", "chaos")
"""A test with none of these markers is a unit test."""

_SIM = Path(__file__).parent / "harness" / "sim"
"""Tests of the simulated world itself have a suite of their own."""

_LONG = "test_docs.py"
"""Its slow tests take ten seconds and more, and come last by name."""

_LEAVES = {
    "tests/schedule_zero/test_database.py": "a database that cannot be closed in time keeps its files",
    "tests/schedule_zero/executor/test_job_executor.py": "calls that never end keep their threads",
    "tests/schedule_zero/test_lifeline.py": "a lost lifeline keeps its pipe: its process is about to end",
}
"""Modules whose tests cannot but leave something, and why."""


# That a busy machine draws slowly is no fault of a test.
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
settings.register_profile("quick", max_examples=settings().max_examples // 4)
"""For the quick suite: a search that has to be longer is made by all others."""
settings.register_profile("long", max_examples=4 * settings().max_examples)
"""For the suite of the simulated world: it has the time to search longer."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the one marker known that is not the harness's own."""
    config.addinivalue_line(
        "markers", "thorough: proves at length what others prove in short; not in the suite all, but in CI"
    )


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through all modules again and again: they live to the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark unit tests as such, so that ``-m unit`` and all other suites together hold every test."""
    _deal_out_the_long_ones(items, getattr(config, "workerinput", {}).get("workercount", 1))
    for item in items:
        if not any(item.get_closest_marker(name) for name in _MORE_THAN_A_UNIT):
            item.add_marker("unit")
        if item.path.is_relative_to(_SIM):
            item.add_marker("sim")


def _deal_out_the_long_ones(items: list[pytest.Item], workers: int) -> None:
    """Have each worker begin with its share of them: whoever met one last would keep the others waiting.

    xdist gives each worker a stretch of the tests in their order, and moves some when one has none left.
    """
    long = [item for item in items if item.path.name == _LONG and item.get_closest_marker("slow")]
    if workers == 1 or not long:
        return
    apart = set(long)
    others = [item for item in items if item not in apart]
    stretch = -(-len(others) // workers)
    items[:] = [
        item
        for number in range(workers)
        for item in (*long[number::workers], *others[number * stretch : (number + 1) * stretch])
    ]


@pytest.fixture
def ctrl_c_heard() -> Iterator[None]:
    """Ctrl-C as a shell's foreground has it, here and in what is started: in a background job it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module", autouse=True)
def module_leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the last test of a module when the module, its own fixtures ended, leaves anything."""
    with contextlib.nullcontext() if request.node.nodeid in _LEAVES else guarded(objects=False):
        yield


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, a thread, a socket or a descriptor: about 2 ms a test.

    A test that shares a fixture with its module may well leave something in it; the module's own guard sees
    to that.
    """
    exempt = request.node.nodeid.split("::")[0] in _LEAVES or _shares(request.node)
    with contextlib.nullcontext() if exempt else guarded(objects=False):
        yield


def _shares(node: pytest.Item) -> bool:
    """Whether a fixture of this repository that lives longer than the test is part of it."""
    definitions = node._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    return any(
        chosen[-1].scope != "function" and chosen[-1].baseid.startswith("tests")
        for name, chosen in definitions.items()
        if name != module_leaves_nothing_behind.__name__
    )
