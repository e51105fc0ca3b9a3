"""A disk in trouble is noticed by file objects: when they are opened, and when they are open already."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sim.machine.disk import DiskFault
from harness.sim.machine.disk_objects import flags_of
from harness.sim.world import World

pytestmark = [pytest.mark.sim, pytest.mark.unit]

WORDS = {
    DiskFault.FULL: "No space left",
    DiskFault.READ_ONLY: "Read-only file system",
    DiskFault.IO_ERROR: "Input/output error",
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A file in a folder of its own."""
    path = tmp_path / "folder" / "text"
    path.parent.mkdir()
    path.write_text("text")
    return path


@contextlib.contextmanager
def number_of(path: Path) -> Iterator[int]:
    """A descriptor of a file."""
    number = os.open(path, os.O_RDWR)
    try:
        yield number
    finally:
        os.close(number)


READING: tuple[Callable[[Path, Any, int], object], ...] = (
    lambda path, file, number: path.read_text(),
    lambda path, file, number: io.open(path, "rb").close(),  # noqa: UP020 - another name, which is replaced, too
    lambda path, file, number: os.close(os.open(path, os.O_RDONLY)),
    lambda path, file, number: shutil.copyfile(path, path.parent.parent / "copy"),
    lambda path, file, number: file.read(),
    lambda path, file, number: file.read(1),
    lambda path, file, number: file.readinto(bytearray(1)),
    lambda path, file, number: os.read(number, 1),
    lambda path, file, number: os.read(file.fileno(), 1),
    lambda path, file, number: os.readv(number, [bytearray(1)]),
    lambda path, file, number: os.pread(number, 1, 0),
    lambda path, file, number: os.preadv(number, [bytearray(1)], 0),
    lambda path, file, number: os.fsync(number),
)
WRITING: tuple[Callable[[Path, Any, int], object], ...] = (
    lambda path, file, number: path.write_text("x"),
    lambda path, file, number: path.open("r+").close(),
    lambda path, file, number: (path.parent / "new").open("x").close(),
    lambda path, file, number: os.close(os.open(path, os.O_RDWR)),
    lambda path, file, number: file.write(b"x"),
    lambda path, file, number: file.truncate(2),
    lambda path, file, number: os.write(number, b"x"),
    lambda path, file, number: os.write(file.fileno(), b"x"),
    lambda path, file, number: os.writev(number, [b"x"]),
    lambda path, file, number: os.pwrite(number, b"x", 0),
    lambda path, file, number: os.pwritev(number, [b"x"], 0),
    lambda path, file, number: os.ftruncate(number, 2),
    lambda path, file, number: os.truncate(path, 2),
    lambda path, file, number: os.posix_fallocate(number, 0, 9),
)


@pytest.mark.parametrize("fault", WORDS)
@pytest.mark.parametrize("call", range(len(READING)))
def test_nothing_is_read_after_an_error_of_the_disk(sim: World, text: Path, fault: DiskFault, call: int) -> None:
    """Under IO_ERROR no way of reading works, be the file open or not; a full or read-only disk can be read."""
    with text.open("r+b", buffering=0) as file, number_of(text) as number:
        with sim.machine.disk.trouble(fault, text.parent):
            if fault is DiskFault.IO_ERROR:
                with pytest.raises(OSError, match=WORDS[fault]):
                    READING[call](text, file, number)
            else:
                READING[call](text, file, number)
        READING[call](text, file, number)
    assert text.read_text() == "text"


@pytest.mark.parametrize("fault", WORDS)
@pytest.mark.parametrize("call", range(len(WRITING)))
def test_nothing_is_written_to_a_disk_in_trouble(sim: World, text: Path, fault: DiskFault, call: int) -> None:
    """Under each fault no way of writing works, be the file open or not; then it does."""
    with text.open("r+b", buffering=0) as file, number_of(text) as number:
        with sim.machine.disk.trouble(fault, text.parent):
            with pytest.raises(OSError, match=WORDS[fault]):
                WRITING[call](text, file, number)
            assert os.fstat(number).st_size == 4
        WRITING[call](text, file, number)


def test_what_is_in_a_buffer_fails_when_it_is_flushed(sim: World, text: Path) -> None:
    """As with a real disk, `write` into a buffer says nothing; `flush` does, and works when the disk does again."""
    with text.open("w") as file:
        with sim.machine.disk.trouble(DiskFault.FULL, text):
            file.write("later")
            with pytest.raises(OSError, match="No space left"):
                file.flush()
        file.flush()
    assert text.read_text() == "later"


def test_files_elsewhere_are_well(sim: World, text: Path, tmp_path: Path) -> None:
    """A fault holds at its place alone; imports from elsewhere go on."""
    other = tmp_path / "other"
    with sim.machine.disk.trouble(DiskFault.IO_ERROR, text.parent):
        other.write_text("well")
        assert other.read_text() == "well"


def test_an_import_reads_files_as_others_do(sim: World, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module cannot be imported from a folder in trouble; from elsewhere it can, and so can the library's."""
    (text.parent / "on_a_sick_disk.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(text.parent)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with sim.machine.disk.trouble(DiskFault.IO_ERROR, text.parent):
        assert importlib.import_module("colorsys").__name__ == "colorsys"
        with pytest.raises(OSError, match="Input/output error"):
            importlib.import_module("on_a_sick_disk")
    assert importlib.import_module("on_a_sick_disk").answer == 42
    monkeypatch.delitem(sys.modules, "on_a_sick_disk")


def test_the_disk_itself_is_read_whatever_its_trouble(sim: World, text: Path) -> None:
    """Flipping bits, remembering and losing power happen to the medium: no fault is in their way."""
    sim.machine.disk.track(text.parent)
    text.write_text("lost")
    with sim.machine.disk.trouble(DiskFault.IO_ERROR, text.parent):
        assert len(sim.machine.disk.corrupt(text, flips=1)) == 1
        assert sim.machine.disk.power_cut(text.parent) == [text]
    assert text.read_text() == "text"


def test_sync_makes_all_durable(sim: World, text: Path) -> None:
    """After ``os.sync`` a loss of power takes nothing."""
    sim.machine.disk.track(text.parent)
    text.write_text("kept")
    (text.parent / "new").write_text("kept")
    os.sync()
    assert sim.machine.disk.power_cut(text.parent) == []


def test_a_slow_disk_takes_its_time_for_calls_of_os(sim: World, text: Path) -> None:
    """Opening to read and ``os.read`` take the seconds each; a file object's buffer, which cannot wait, none."""
    with sim.machine.disk.trouble(DiskFault.SLOW, text, seconds=2.0), text.open("rb") as file:
        assert sim.elapsed == pytest.approx(2.0)
        assert os.pread(file.fileno(), 4, 0) == b"text"
        assert sim.elapsed == pytest.approx(4.0)
        assert file.read() == b"text"
        assert sim.elapsed == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("r", {}), ("rt", {"encoding": "latin-1", "newline": ""}), ("r+", {}), ("w", {"buffering": 1}), ("a", {}),
        ("rb", {}), ("r+b", {}), ("wb", {"buffering": 0}), ("ab", {"buffering": 77}), ("rb", {"opener": os.open}),
    ],
)  # fmt: skip
def test_a_file_object_is_what_it_is_elsewhere(text: Path, mode: str, options: dict[str, Any]) -> None:
    """In a world `open` gives the classes, names, modes, encodings and line buffering that it gives outside."""

    def described() -> list[object]:
        with open(text, mode, **options) as file:  # noqa: PTH123 - the function itself
            facts: list[object] = [type(file) if not isinstance(file, io.FileIO) else io.FileIO, file.name, file.mode]
            facts += [getattr(file, name, None) for name in ("encoding", "errors", "line_buffering", "write_through")]
            raw: Any = getattr(getattr(file, "buffer", file), "raw", file)
            return [*facts, isinstance(raw, io.FileIO), raw.mode, raw.closefd]

    outside = described()
    with World():
        assert described() == outside


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("no such file",), FileNotFoundError, "no such file"),
        ((".",), IsADirectoryError, "Is a directory"),
        ((__file__, "q"), ValueError, "invalid mode"),
        ((__file__, "rw"), ValueError, "mode"),
        ((__file__, "r", 0), ValueError, "unbuffered text"),
        ((__file__, "rb", -1, "utf-8"), ValueError, "encoding argument"),
        ((1.5,), TypeError, "float"),
    ],
)
def test_a_mistaken_open_is_told_as_elsewhere(
    world: Any, arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    """Mistakes in calling `open` raise in a world what they raise outside; the words may differ a little."""
    with pytest.raises(error, match=words):
        open(*arguments)  # noqa: PTH123, SIM115


def test_what_outlives_the_world_is_an_ordinary_file(text: Path) -> None:
    """A file that the test keeps open works on after the world, though its disk was in trouble to the end."""
    with World() as sim:
        file = text.open("r+b", buffering=0)
        sim.machine.disk.begin(DiskFault.IO_ERROR, text.parent)
    assert file.read() == b"text"
    file.close()


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        ("rb", os.O_RDONLY),
        ("r+", os.O_RDWR),
        ("w", os.O_WRONLY | os.O_CREAT),
        ("x+b", os.O_RDWR | os.O_CREAT | os.O_EXCL),
        ("ab", os.O_WRONLY | os.O_CREAT),
    ],
)
def test_a_mode_means_flags(mode: str, flags: int) -> None:
    """What the disk is asked for a mode of `open` is what it would be for ``os.open``."""
    assert flags_of(mode) == flags
