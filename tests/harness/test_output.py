"""Streams that may not be writable."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import output

pytestmark = pytest.mark.unit


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def test_what_a_full_disk_refuses_goes_nowhere_and_the_reason_is_kept() -> None:
    """All later output is taken as well: nothing fails a second time."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        outlet = output.Outlet(full.fileno())

        assert [outlet.write(b"abc"), outlet.write(b"de")] == [3, 2]
        assert outlet.failure is not None
        assert outlet.failure.strerror == "No space left on device"


def test_a_reader_that_is_gone_is_told_of_by_the_usual_error(pipe: tuple[int, int]) -> None:
    """Whoever writes may stop then."""
    reader, writer = pipe
    os.close(reader)
    outlet = output.Outlet(writer)

    with pytest.raises(BrokenPipeError):
        outlet.write(b"abc")
    assert outlet.failure is None


def test_a_terminal_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    """All that is written arrives, though the reader takes its time."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    outlet, text, got = output.Outlet(writer), b"x" * 300_000, bytearray()

    def read() -> None:
        while len(got) < len(text):
            got.extend(os.read(reader, 65536))

    thread = threading.Thread(target=read)
    thread.start()
    left = memoryview(text)
    while left:
        left = left[outlet.write(left) :]
    thread.join(10.0)
    assert bytes(got) == text


def test_streams_and_the_exit_code_are_what_they_were_where_nothing_is_wrong() -> None:
    """Also for an error that nobody expected, and for streams that are no files."""
    before = sys.stdout, sys.stderr
    for code in (0, 3):
        with pytest.raises(SystemExit) as ended, output.guarded():
            sys.exit(code)
        assert ended.value.code == code
    with pytest.raises(KeyError), output.guarded():
        raise KeyError
    with output.guarded():
        pass
    assert (sys.stdout, sys.stderr) == before
