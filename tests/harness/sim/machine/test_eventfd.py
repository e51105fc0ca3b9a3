"""Event counters: one body in both worlds."""

from __future__ import annotations

import os
import select
import threading
import time

import pytest

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(not hasattr(os, "eventfd"), reason="os.eventfd exists on Linux only"),
]


def test_reading_takes_all(world: object) -> None:
    """What was written is added up, and read at once."""
    number = os.eventfd(3)
    os.eventfd_write(number, 4)
    assert os.eventfd_read(number) == 7
    os.close(number)


def test_a_semaphore_gives_one_at_a_time(world: object) -> None:
    """With EFD_SEMAPHORE each read takes one."""
    number = os.eventfd(2, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
    assert [os.eventfd_read(number), os.eventfd_read(number)] == [1, 1]
    with pytest.raises(BlockingIOError):
        os.eventfd_read(number)
    os.close(number)


def test_reading_waits(world: object) -> None:
    """Reading zero waits for a writer, in the world's time."""
    number = os.eventfd(0)
    timer = threading.Timer(0.1, os.eventfd_write, (number, 5))
    timer.start()
    begin = time.monotonic()
    assert os.eventfd_read(number) == 5
    assert 0.09 <= time.monotonic() - begin < 10
    timer.join()
    os.close(number)


def test_writing_waits_for_room(world: object) -> None:
    """A full counter makes writers wait, or fails when non-blocking."""
    number = os.eventfd(0, os.EFD_NONBLOCK)
    os.eventfd_write(number, 2**64 - 2)
    with pytest.raises(BlockingIOError):
        os.eventfd_write(number, 1)
    os.set_blocking(number, True)
    timer = threading.Timer(0.1, os.eventfd_read, (number,))
    timer.start()
    begin = time.monotonic()
    os.eventfd_write(number, 1)
    assert time.monotonic() - begin >= 0.09
    timer.join()
    assert os.eventfd_read(number) == 1
    os.close(number)


def test_readiness(world: object) -> None:
    """It is readable above zero, writable below the most."""
    number = os.eventfd(0)
    assert select.select([number], [number], [], 0) == ([], [number], [])
    os.eventfd_write(number, 1)
    assert select.select([number], [number], [], 0) == ([number], [number], [])
    os.close(number)


@pytest.mark.parametrize("size", [4, 7])
def test_short_reads_and_writes_fail(world: object, size: int) -> None:
    """Fewer than eight bytes are an error."""
    number = os.eventfd(1)
    with pytest.raises(OSError, match="Invalid argument"):
        os.read(number, size)
    with pytest.raises(OSError, match="Invalid argument"):
        os.write(number, bytes(size))
    os.close(number)
