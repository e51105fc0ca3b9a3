"""The command line called in this process, and a scenario that is over in a moment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from harness.cli import main
from harness.scenario.model import World
from harness.targets.registry import drivers

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

SHORT = """\
scenario: 1
name: short
about: A moment's load.
kind: load
worlds: [real]
seed: 3
limits: {setup: 5s, run: 5s, settle: 2s, teardown: 2s}
target: {driver: fake}
topology: {handlers: {name: h1}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 100/s, for: 50ms}
checks:
  always: [no-lost-job]
  finally: [no-orphan-process]
"""

Harness = Callable[..., Result]


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """Calls the command line in this process, with reports below a folder of the test's own."""

    def call(*words: str | Path) -> Result:
        found = CliRunner().invoke(
            main, [str(word) for word in words], env={"HARNESS_REPORT": str(tmp_path / "reports")}
        )
        assert "Traceback" not in found.output
        assert found.exception is None or isinstance(found.exception, SystemExit)
        return found

    return call


@pytest.fixture
def fake_installed(driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """The fake driver registered as another package would do it: by an entry point."""
    info = tmp_path / "site" / "fake_target-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-target\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[harness.targets]\nfake = fake_target_of_tests:make\n", "utf-8")
    module = ModuleType("fake_target_of_tests")
    module.make = lambda: driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_target_of_tests", module)
    monkeypatch.syspath_prepend(str(info.parent))
    drivers.cache_clear()
    yield driver
    drivers.cache_clear()


@pytest.fixture
def both(fake_installed: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same scenario for both worlds, on a fake driver that knows both."""
    monkeypatch.setattr(type(fake_installed), "worlds", (World.REAL, World.SIM))
    path = tmp_path / "both.yaml"
    path.write_text(SHORT.replace("[real]", "[sim, real]"), "utf-8")
    return path


@pytest.fixture
def short(fake_installed: FakeDriver, tmp_path: Path) -> Path:
    """A scenario file on the fake driver."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, "utf-8")
    return path
