"""The watchdog: real time watches over virtual time."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import gc
import io
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness.sim import Livelock, World
from harness.sim.kernel import Kernel

Opened = Callable[..., AbstractContextManager[Kernel]]

_perf_counter = [time.perf_counter][0]
"""Real time, also inside a world."""


def test_who_holds_the_baton_is_told(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a real lock held by a parked one: the report shows both, with stacks."""
    err = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", err)
    lock = _thread.allocate_lock()
    with opened(patience=0.05) as kernel:

        def parks_with_it() -> None:
            with lock:
                kernel.sleep(1000)

        def wants_it() -> None:
            if lock.acquire(timeout=1):
                lock.release()

        threading.Thread(target=parks_with_it, name="parks").start()
        kernel.sleep(1)
        threading.Thread(target=wants_it, name="wants").start()
        kernel.sleep(5000)
    text = err.getvalue()
    assert "the baton is held by harness/wants" in text
    assert "-- harness/wants: HOLDS THE BATON" in text
    assert "-- harness/parks: waits for its sleep since" in text
    assert "in wants_it" in text
    assert "in parks_with_it" in text
    assert text.count("stands still") == 1


def test_dear_turns_at_one_instant_are_told(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who they are, once: they may be work, or a livelock that would take long to be one."""
    err = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", err)
    with opened(patience=0.05) as kernel:

        def works() -> None:
            while not err.getvalue():
                sum(range(20_000))
                kernel.yield_()

        for name in ("one", "two"):
            threading.Thread(target=works, name=name).start()
        kernel.sleep(1000)
    text = err.getvalue()
    assert text.startswith("the simulation computes at 0.000000 s without time passing:\n")
    assert "\n    two: " in text
    assert text.count("without time passing") == 1


def test_a_busy_world_is_left_in_peace(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as steps are made, nothing is said, however long the world lasts."""
    err = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", err)
    with opened(patience=0.2) as kernel:
        end = time.perf_counter() + 0.6
        while time.perf_counter() < end:
            kernel.sleep(1)
    assert err.getvalue() == ""


def _for_ever() -> None:
    found: list[int] = []
    threading.Timer(1, found.append, (1,)).start()
    while not found:
        pass


LINE = _for_ever.__code__.co_firstlineno + 3


def _swallows() -> None:
    while True:
        with contextlib.suppress(Exception):
            _for_ever()


@pytest.mark.parametrize("spin", [_for_ever, _swallows], ids=["plain", "swallowed"])
def test_a_thread_that_never_gives_way_is_ended(spin: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that polls a list would hang for ever: `Livelock` says which thread, at which line, and what to do."""
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())

    def run() -> None:
        with World(patience=0.6):
            threading.Thread(target=spin, name="poller").start()
            time.sleep(10)

    with pytest.raises(Livelock) as caught:
        run()
    text = str(caught.value)
    assert "at 0.000000 s harness/poller has computed for 0.6 s of processor time" in text
    assert f"{__file__}:{LINE} in _for_ever" in text or f"{__file__}:{LINE + 1} in _for_ever" in text
    assert "must wait in each turn, by time.sleep" in text
    assert "World(patience=" in text


@pytest.mark.parametrize("where", ["main", "task"])
def test_the_main_thread_is_ended_too(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is raised where it spins, also in a task whose error nobody would ever look at; it is said once."""
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())

    async def main() -> None:
        async def task() -> None:
            _for_ever()

        kept = asyncio.create_task(task())
        await asyncio.sleep(100)
        del kept

    def run() -> None:
        with World(patience=0.6):
            if where == "main":
                _for_ever()
            else:
                asyncio.run(main())

    with pytest.raises(Livelock, match=r"at 0\.000000 s harness/MainThread has computed for 0\.6 s of processor time"):
        run()
    gc.collect()
    assert caplog.messages == []


def test_who_waits_for_something_real_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is processor time that counts: a slow machine, or a wait in C, is told and goes on."""
    err = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", err)
    lock = _thread.allocate_lock()
    lock.acquire()
    with World(patience=0.1) as world:
        lock.acquire(timeout=0.6)
        time.sleep(1)
        assert world.elapsed == 1
    assert "stands still" in err.getvalue()


def test_computing_in_steps_is_not_ended() -> None:
    """Each step begins anew: half a second of work in small pieces is none too long for a patience of 0.3 s."""
    with World(patience=0.3) as world:
        end = _perf_counter() + 0.7
        while _perf_counter() < end:
            sum(range(1000))
            time.sleep(0.001)
        assert world.elapsed > 0
