"""Tests of the examples in the documentation of this room."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import harness.report

_MODULES = [m.name for m in pkgutil.walk_packages(harness.report.__path__, "harness.report.")]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_run(name: str) -> None:
    """Every example gives what it says."""
    result = doctest.testmod(importlib.import_module(name))

    assert result.failed == 0


def test_there_are_examples() -> None:
    """The search for examples finds some."""
    finder = doctest.DocTestFinder(exclude_empty=True)

    assert sum(len(t.examples) for n in _MODULES for t in finder.find(importlib.import_module(n))) >= 15
