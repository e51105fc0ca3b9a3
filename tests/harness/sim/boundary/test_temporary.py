"""Temporary files of a world have the same names in every run, and are gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.sim import World, check_determinism
from harness.sim.boundary import temporary
from harness.sim.boundary.temporary import NAME, NUMBER

pytestmark = pytest.mark.sim


def folder() -> str:
    """A folder that is left behind."""
    made = tempfile.mkdtemp()
    Path(made, "file").write_text("text")
    return made


def test_names_do_not_depend_on_what_was_left_behind() -> None:
    """Two runs that leave their folder behind draw the same name, which depends on the seed."""
    first = check_determinism(folder, seed=1).value
    with World(seed=1):
        assert folder() == first
    with World(seed=2):
        assert folder() != first
    assert first.startswith(f"{NAME}/tmp")


def test_nothing_is_left() -> None:
    """The folder is removed with what is in it, its descriptor is closed, `tempfile` is what it was."""
    before = tempfile.gettempdir()
    with World():
        own = Path(NAME).readlink()
        assert own.is_dir()
        folder()
    assert not own.exists()
    assert not Path(NAME).exists()
    assert tempfile.gettempdir() == before
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(NUMBER)


HOLDS_A_WORLD = """
import os
from harness.sim import World
from harness.sim.boundary.temporary import NAME

with World():
    os.write(1, os.readlink(NAME).encode() + b"\\n")
    while True:  # nothing that it could wait for is real
        pass
"""


def test_the_folder_of_a_killed_process_is_cleared_away_by_the_next_world_and_no_sooner() -> None:
    """While its process lives it stays, whatever worlds begin; it outlives that process until the next one begins."""
    command = [sys.executable, "-c", HOLDS_A_WORLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().decode().rstrip())
        with World():
            pass
        living = left.is_dir()
        other.kill()
    assert (living, left.is_dir()) == (True, True)

    with World():
        assert not left.exists()


def test_no_way_leads_to_the_real_name(tmp_path: Path) -> None:
    """Resolving a path in it, or going there, gives the one name again; other paths are resolved as ever."""
    with World():
        made = Path(folder())
        assert made.resolve() == made
        assert (made / ".." / made.name / "file").resolve() == made / "file"
        assert os.path.realpath(os.fsencode(made)) == os.fsencode(made)
        back = Path.cwd()
        os.chdir(made)
        assert Path.cwd() == made
        assert Path("file").read_text() == "text"
        os.chdir(back)
        assert tmp_path.resolve() == Path(os.path.realpath(tmp_path))
        assert str(tmp_path.resolve()).startswith("/")
        assert NAME not in str(tmp_path.resolve())


def test_a_temporary_folder_that_outlives_the_world_is_cleaned_up_in_peace() -> None:
    """Its finalizer finds nothing to do."""
    with World():
        kept = tempfile.TemporaryDirectory()
    assert not Path(kept.name).exists()
    kept.cleanup()


def test_without_the_descriptor_there_is_a_folder_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where descriptors end below the number, the folder goes by its own name; it is removed all the same."""
    monkeypatch.setattr(temporary, "NUMBER", 2**30)
    with World():
        made = Path(folder())
        assert made.parent == Path(tempfile.gettempdir())
        assert NAME not in str(made)
        assert made.is_dir()
    assert not made.parent.exists()


def test_a_descriptor_in_use_is_left_alone(tmp_path: Path) -> None:
    """Somebody's descriptor of that number stays what it is."""
    theirs = os.open(tmp_path, os.O_RDONLY)
    os.dup2(theirs, NUMBER)
    try:
        with World():
            assert Path(folder()).is_dir()
        assert Path(NAME).readlink() == tmp_path
    finally:
        os.close(NUMBER)
        os.close(theirs)
