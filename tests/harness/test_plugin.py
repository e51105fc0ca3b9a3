"""The plugin costs nothing until it is used, and makes its words known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.plugin import MARKERS

HEAVY = (
    "pydantic",
    "zmq",
    "faker",
    "apscheduler",
    "sqlalchemy",
    "tornado",
    "ruamel",
    "rich",
    "psutil",
    "schedule_zero",
)


def test_it_imports_nothing_heavy() -> None:
    """A project that has the harness installed pays for no library of it at start."""
    code = f"import pytest, sys; import harness.plugin; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_is_loaded_by_its_entry_point(request: pytest.FixtureRequest) -> None:
    """pytest finds the plugin by the name `harness`, by which it is switched off too."""
    assert request.config.pluginmanager.hasplugin("harness") or "harness.plugin" in sys.modules


@pytest.mark.parametrize("marker", sorted(MARKERS))
def test_markers_are_known(marker: str, request: pytest.FixtureRequest) -> None:
    """Each marker is registered, so that --strict-markers lets it pass."""
    assert f"{marker}: {MARKERS[marker]}" in request.config.getini("markers")


def test_every_kind_of_scenario_is_a_marker() -> None:
    """A scenario item is marked by its kind and world; each must be known."""
    from harness.scenario.model import Kind, World

    assert {*(kind.value for kind in Kind), *(world.value for world in World)} <= set(MARKERS)
