"""Closing what waits has an end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from schedule_zero.closing import close_in_thread

pytestmark = pytest.mark.unit


def test_it_is_waited_for() -> None:
    """What closes in time is closed when the call returns, in a thread of the given name."""
    names: list[str] = []
    asyncio.run(close_in_thread("close it", lambda: names.append(threading.current_thread().name), 10.0))
    assert ["close it" in name for name in names] == [True]


def test_what_does_not_end_is_left_behind() -> None:
    """After the time-out the caller goes on, while the thread still waits."""
    gate, ended = threading.Event(), threading.Event()

    def close() -> None:
        gate.wait(20.0)
        ended.set()

    begun = time.monotonic()
    asyncio.run(close_in_thread("slow", close, 0.05))
    assert time.monotonic() - begun < 10.0
    assert not ended.is_set()
    gate.set()
    assert ended.wait(10.0)
