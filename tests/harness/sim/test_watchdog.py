"""The watchdog: real time watches over virtual time."""

from __future__ import annotations

import _thread
import io
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness.sim.kernel import Kernel

Opened = Callable[..., AbstractContextManager[Kernel]]


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
