"""Pipes: one body on the real operating system and in the simulation."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sim import NotSimulated, World

pytestmark = pytest.mark.sim


def later(action: Callable[[], object], seconds: float = 0.05) -> threading.Thread:
    """Do something after a while, in a thread."""

    def run() -> None:
        time.sleep(seconds)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_bytes_come_out_in_order(world: object) -> None:
    """What is written comes out in order, as much as asked for at most; the end comes when the writer closes."""
    reader, writer = os.pipe()
    assert os.write(writer, b"abc") == 3
    assert os.write(writer, b"def") == 3
    assert os.read(reader, 4) == b"abcd"
    os.close(writer)
    assert os.read(reader, 100) == b"ef"
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_a_read_waits_for_the_first_byte(world: object) -> None:
    """A read of an empty pipe returns when another thread writes."""
    reader, writer = os.pipe()
    begin = time.monotonic()  # before the other's wait begins, which this thread may see late
    thread = later(lambda: os.write(writer, b"x"))
    assert os.read(reader, 10) == b"x"
    assert time.monotonic() - begin > 0.0499
    thread.join()
    os.close(reader)
    os.close(writer)


def test_a_full_pipe_makes_the_writer_wait(world: object) -> None:
    """64 KiB fit; a larger write goes on when somebody reads, and arrives whole."""
    reader, writer = os.pipe()
    got = bytearray()

    def read() -> None:
        while len(got) < 200_000:
            got.extend(os.read(reader, 65_536))

    thread = later(read)
    assert os.write(writer, b"z" * 200_000) == 200_000
    thread.join()
    assert len(got) == 200_000
    os.close(reader)
    os.close(writer)


def test_non_blocking_ends_say_so(world: object) -> None:
    """Non-blocking: an empty pipe and a full one are EAGAIN, a part of a large write is taken."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    assert not os.get_blocking(reader)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    assert os.write(writer, b"y" * 100_000) == 65_536
    with pytest.raises(BlockingIOError):
        os.write(writer, b"y")
    os.close(reader)
    os.close(writer)


def test_a_write_without_reader_is_a_broken_pipe(world: object) -> None:
    """EPIPE instead of a signal, as Python has it."""
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(writer)


def test_a_closed_number_is_bad(world: object) -> None:
    """Every call on a number that was closed is EBADF."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    for call in (lambda: os.read(reader, 1), lambda: os.write(writer, b""), lambda: os.close(reader)):
        with pytest.raises(OSError, match="Bad file descriptor") as error:
            call()
        assert error.value.errno == errno.EBADF


def test_a_duplicate_keeps_the_file_open(world: object) -> None:
    """The end of the file comes with the last of two numbers of the writing end."""
    reader, writer = os.pipe()
    copy = os.dup(writer)
    os.close(writer)
    os.write(copy, b"1")
    assert os.read(reader, 5) == b"1"
    os.close(copy)
    assert os.read(reader, 5) == b""
    os.close(reader)


def test_what_a_pipe_says_of_itself(world: object) -> None:
    """fstat says FIFO; neither end is inherited; neither is a terminal."""
    ends = os.pipe()
    for end in ends:
        assert stat.S_ISFIFO(os.fstat(end).st_mode)
        assert not os.get_inheritable(end)
        assert not os.isatty(end)
        os.set_inheritable(end, True)
        assert os.get_inheritable(end)
        os.close(end)


def test_file_objects_over_pipes(world: object) -> None:
    """`open` of a number gives buffered text, whose close closes the number."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as out:
        out.write("grüße\nzweite")
    with open(reader, encoding="utf-8") as into:  # noqa: PTH123 - a number is no path
        assert into.readline() == "grüße\n"
        assert into.read() == "zweite"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


def test_two_threads_share_a_buffered_file(world: object) -> None:
    """A thread that waits inside a buffered read does not keep another from writing to a second buffered file."""
    reader, writer = os.pipe()
    into, out = os.fdopen(reader, "rb"), os.fdopen(writer, "wb", buffering=1024)

    def write() -> None:
        out.write(b"line\n")
        out.flush()

    thread = later(write)
    assert into.readline() == b"line\n"
    thread.join()
    into.close()
    out.close()


def test_sendfile_into_a_pipe(world: object, tmp_path: Path) -> None:
    """os.sendfile writes what it reads of a file: from an offset, or from the position, which goes on."""
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    reading, writing = os.pipe()
    source = os.open(path, os.O_RDONLY)
    try:
        assert os.sendfile(writing, source, 1, 2) == 2
        assert os.sendfile(writing, source, None, 3) == 3
        assert os.sendfile(writing, source, None, 99) == 3
        assert os.sendfile(writing, source, None, 99) == 0
        assert os.read(reading, 99) == b"bcabcdef"
    finally:
        for number in (reading, writing, source):
            os.close(number)


@pytest.mark.skipif(not hasattr(os, "splice"), reason="Linux has it")
def test_splice_is_refused_with_the_line() -> None:
    """It moves bytes inside the real kernel, which knows no simulated pipe: said so, not EBADF."""
    with World():
        (reading, writing), (other, end) = os.pipe(), os.pipe()
        with pytest.raises(NotSimulated, match=r"os\.splice at .*test_pipes\.py:\d+ in .* is not simulated"):
            os.splice(reading, end, 3)
        for number in (reading, writing, other, end):
            os.close(number)
