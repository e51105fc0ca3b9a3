"""Nothing of the operating system is forgotten at the boundary: what a world leaves alone, it leaves for a reason."""

from __future__ import annotations

import os
import types

import pytest

from harness.sim import World
from harness.sim.boundary import registry
from harness.sim.boundary.harmless import callables, forgotten, harmless
from harness.sim.boundary.registry import Boundary, How

pytestmark = [pytest.mark.sim, pytest.mark.unit]


def test_every_callable_is_accounted_for() -> None:
    """Each callable of os, signal, socket, time, … is replaced in a world, passed by the table, or called harmless."""
    before = list(callables())
    assert len(before) > 500

    with World():
        assert forgotten(before, registry.all()) == []


def test_what_nobody_has_thought_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that a new Python brings is named, until somebody decides about it."""
    new = types.FunctionType((lambda: None).__code__, {"__name__": "os"}, "brand_new")
    monkeypatch.setattr(os, "brand_new", new, raising=False)
    before = list(callables())

    with World():
        assert forgotten(before, registry.all()) == ["os.brand_new"]
        assert forgotten(before, (*registry.all(), Boundary("os.brand_new", How.PASSED, "why not"))) == []


def test_what_is_said_to_be_simulated_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the table alone replaces nothing: a simulated or fenced name that is real is named, too."""
    new = types.FunctionType((lambda: None).__code__, {"__name__": "os"}, "brand_new")
    monkeypatch.setattr(os, "brand_new", new, raising=False)
    before = list(callables())

    with World():
        for how in (How.SIMULATED, How.FENCED):
            assert forgotten(before, (*registry.all(), Boundary("os.brand_new", how, "it was meant to be"))) == [
                "os.brand_new"
            ]


def test_no_name_has_two_answers() -> None:
    """What is called harmless is in no other table, and has a reason."""
    assert [entry.name for entry in registry.all() if entry.name in harmless()] == []
    assert [name for name, why in harmless().items() if not why] == []
