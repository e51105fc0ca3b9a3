"""Threads that are started below `threading`: one body in both worlds."""

from __future__ import annotations

import _thread
import sys
import threading
import time
from _queue import SimpleQueue
from _thread import start_new_thread

import pytest

from harness.sim import World

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("bound_before", [True, False])
def test_it_runs(world: object, bound_before: bool) -> None:
    """It gets its arguments, sleeps in the world's time, and `threading` does not list it."""
    done = threading.Event()
    found: list[object] = []

    def work(first: int, *, second: int) -> None:
        time.sleep(0.05)
        found.append((first, second, _thread.get_ident()))
        done.set()

    begin = time.monotonic()
    start = start_new_thread if bound_before else _thread.start_new_thread
    ident = start(work, (1,), {"second": 2})
    assert threading.active_count() == len(threading.enumerate())
    assert ident not in [thread.ident for thread in threading.enumerate()]
    assert done.wait(10)
    assert found == [(1, 2, ident)]
    assert time.monotonic() - begin >= 0.049


def test_it_ends_with_the_world() -> None:
    """A thread that still sleeps when the world ends never wakes: its effect does not come in real time."""
    found: list[int] = []

    def late() -> None:
        time.sleep(0.05)
        found.append(1)

    with World():
        _thread.start_new_thread(late, ())
        time.sleep(0.01)
    before = time.monotonic()
    while time.monotonic() < before + 0.2:
        assert found == []


def test_its_errors_are_told_and_forgotten(world: object, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is printed to stderr, `_thread.exit` ends it without a word; neither harms anyone."""
    started = threading.Semaphore(0)

    def broken() -> None:
        started.release()
        raise KeyError("mine")

    def leaving() -> None:
        started.release()
        _thread.exit()

    with pytest.MonkeyPatch.context() as patch:
        # pytest takes them over, from the real interpreter only.
        patch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
        _thread.start_new_thread(leaving, ())
        _thread.start_new_thread(broken, ())
        for _ in range(2):
            assert started.acquire(timeout=10)
        time.sleep(0.1)
    told = capsys.readouterr().err
    assert "Exception ignored in thread started by" in told
    assert "KeyError: 'mine'" in told
    assert "SystemExit" not in told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, ()), "first arg must be callable"),
        ((print, []), "2nd arg must be a tuple"),
        ((print, (), 1), "optional 3rd arg must be a dictionary"),
    ],
)
def test_wrong_arguments(world: object, arguments: tuple[object, ...], text: str) -> None:
    """They are refused in the interpreter's words."""
    with pytest.raises(TypeError, match=text):
        _thread.start_new_thread(*arguments)  # type: ignore[call-overload]


def test_the_queue_of_c_waits_in_virtual_time(world: object) -> None:
    """`_queue.SimpleQueue`, which `queue.SimpleQueue` is, waits for an item."""
    items = SimpleQueue[int]()

    def later() -> None:
        time.sleep(0.05)
        items.put(7)

    _thread.start_new_thread(later, ())
    begin = time.monotonic()
    assert items.get(timeout=10) == 7
    assert 0.04 < time.monotonic() - begin < 5
