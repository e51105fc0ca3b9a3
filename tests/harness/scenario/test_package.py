"""The room's public names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness.scenario


def test_public_names_exist() -> None:
    """Every name the room offers can be had from it."""
    assert "load" in harness.scenario.__all__
    for name in harness.scenario.__all__:
        assert getattr(harness.scenario, name).__name__ == name


def test_other_names_do_not() -> None:
    """A name that is not offered is an ordinary attribute error."""
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        _ = harness.scenario.lod


def test_the_room_itself_imports_nothing() -> None:
    """The package alone loads neither pydantic nor YAML nor Faker: whoever needs one pays for it then."""
    code = (
        "import sys, harness.scenario\n"
        "print([name for name in ('pydantic', 'ruamel.yaml', 'faker') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
