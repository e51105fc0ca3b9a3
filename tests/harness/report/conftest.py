"""The made-up runs and a reader of HTML pages, for all tests of the reports."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest


def _beside(name: str) -> ModuleType:
    """A module beside this file: test folders are no packages, so it is loaded by its path."""
    full = f"report_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


if TYPE_CHECKING:
    from tests.harness.report import made_up, pages
    from tests.harness.report.made_up import Run
    from tests.harness.report.pages import Node
else:
    made_up, pages = _beside("made_up"), _beside("pages")


@pytest.fixture
def chaos_run() -> Run:
    """The failed chaos run."""
    return made_up.chaos()


@pytest.fixture
def load_run() -> Run:
    """The passed load run of 6,000 calls."""
    return made_up.load()


@pytest.fixture
def heavy_run() -> Run:
    """A load run of 20,000 calls."""
    return made_up.load(20_000, 80.0)


@pytest.fixture
def cycles_run() -> Run:
    """The run of 200 cycles."""
    return made_up.cycles()


@pytest.fixture
def empty_run() -> Run:
    """The run in which nothing happened."""
    return made_up.empty()


@pytest.fixture
def interrupted_run() -> Run:
    """The run that Ctrl-C ended."""
    return made_up.interrupted()


@pytest.fixture(params=sorted(made_up.RUNS))
def any_run(request: pytest.FixtureRequest) -> Run:
    """Each of the made-up runs."""
    run: Run = made_up.RUNS[request.param]()
    return run


@pytest.fixture
def build() -> ModuleType:
    """The builders of records that the made-up runs are made of."""
    return made_up


@pytest.fixture
def parse() -> Callable[[str], Node]:
    """Reads a page into a tree; fails where an element is not closed, or closed by another's tag."""
    return pages.parse


@pytest.fixture
def started() -> datetime:
    """A fixed moment of wall time."""
    return datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
