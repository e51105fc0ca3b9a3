"""select, poll, epoll and selectors: one body on the real operating system and in the simulation."""

from __future__ import annotations

import os
import select
import selectors
import threading
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.sim


@pytest.fixture
def ends(world: object) -> Iterator[tuple[int, int]]:
    """A pipe."""
    pair = os.pipe()
    yield pair
    for end in pair:
        try:
            os.close(end)
        except OSError:
            continue


def write_later(end: int, seconds: float = 0.05) -> threading.Thread:
    """Write a byte after a while."""

    def run() -> None:
        time.sleep(seconds)
        os.write(end, b"x")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_select_times_out(ends: tuple[int, int]) -> None:
    """Nothing is readable: three empty lists, after the time asked for."""
    begin = time.monotonic()
    assert select.select([ends[0]], [], [], 0.05) == ([], [], [])
    assert time.monotonic() - begin > 0.0499


def test_select_wakes_for_what_is_ready(ends: tuple[int, int]) -> None:
    """A writer is ready at once, a reader as soon as there is something."""
    reader, writer = ends
    assert select.select([reader], [writer], [], 5) == ([], [writer], [])
    thread = write_later(writer)
    assert select.select([reader], [], [], 5) == ([reader], [], [])
    thread.join()


def test_select_refuses_what_is_closed(ends: tuple[int, int]) -> None:
    """EBADF for a closed number, ValueError for a negative one."""
    os.close(ends[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        select.select([ends[0]], [], [], 0)
    with pytest.raises(ValueError, match="negative"):
        select.select([-1], [], [], 0)


def test_the_end_is_readable(ends: tuple[int, int]) -> None:
    """A pipe whose writer is gone is readable, with POLLHUP."""
    reader, writer = ends
    os.close(writer)
    assert select.select([reader], [], [], 5)[0] == [reader]
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    assert poll.poll(1000) == [(reader, select.POLLHUP)]


def test_poll_says_what_was_asked_for(ends: tuple[int, int]) -> None:
    """Masks are heeded, changed and taken back; milliseconds are milliseconds."""
    reader, writer = ends
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(writer, select.POLLIN)
    begin = time.monotonic()
    assert poll.poll(50) == []
    assert time.monotonic() - begin > 0.0499
    poll.modify(writer, select.POLLOUT)
    assert poll.poll(1000) == [(writer, select.POLLOUT)]
    poll.unregister(writer)
    thread = write_later(writer)
    assert poll.poll(5000) == [(reader, select.POLLIN)]
    thread.join()
    with pytest.raises(KeyError):
        poll.unregister(writer)


def test_poll_names_a_closed_number(ends: tuple[int, int]) -> None:
    """POLLNVAL."""
    poll = select.poll()
    poll.register(ends[0], select.POLLIN)
    os.close(ends[0])
    assert poll.poll(1000) == [(ends[0], select.POLLNVAL)]


def test_epoll(ends: tuple[int, int]) -> None:
    """Seconds, levels, a second registration is an error, a closed number leaves by itself."""
    reader, writer = ends
    with select.epoll() as epoll:
        epoll.register(reader, select.EPOLLIN)
        with pytest.raises(FileExistsError):
            epoll.register(reader, select.EPOLLIN)
        assert epoll.poll(0.02) == []
        os.write(writer, b"x")
        assert epoll.poll(5) == [(reader, select.EPOLLIN)]
        assert epoll.poll(5) == [(reader, select.EPOLLIN)]
        os.close(reader)
        assert epoll.poll(0.02) == []


@pytest.mark.parametrize("kind", ["SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector"])
def test_selectors(ends: tuple[int, int], kind: str) -> None:
    """Every selector of the standard library sees simulated descriptors."""
    reader, writer = ends
    with getattr(selectors, kind)() as selector:
        selector.register(reader, selectors.EVENT_READ, "data")
        assert selector.select(0.02) == []
        thread = write_later(writer)
        [(key, mask)] = selector.select(5)
        assert (key.data, mask) == ("data", selectors.EVENT_READ)
        thread.join()
