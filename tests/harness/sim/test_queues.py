"""The simulated SimpleQueue."""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import get_origin

import pytest

from harness.sim.kernel import Kernel
from harness.sim.queues import SimpleQueue

Opened = Callable[..., AbstractContextManager[Kernel]]


def test_items_come_in_order(kernel: Kernel) -> None:
    """First in, first out, to as many consumers as wait."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    assert type(items).__module__ == SimpleQueue.__module__
    got: list[int] = []

    def consume() -> None:
        while True:
            got.append(items.get())

    for _ in range(2):
        kernel.spawn(kernel.current_process, "consumer", consume)
    for number in range(6):
        items.put(number)
        kernel.sleep(1)
    assert got == [0, 1, 2, 3, 4, 5]
    assert items.empty()
    assert items.qsize() == 0


def test_waiting_for_an_item_ends_in_time(kernel: Kernel) -> None:
    """`get` raises `queue.Empty` exactly at its time-out, at once without blocking, and refuses negative ones."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.5)
    assert kernel.now == 500_000
    with pytest.raises(queue.Empty):
        items.get_nowait()
    with pytest.raises(ValueError, match="non-negative"):
        items.get(timeout=-1)
    kernel.call_later(10, lambda: items.put(7))
    assert items.get(timeout=1) == 7
    assert kernel.now == 500_010


def test_a_queue_outlives_its_world(opened: Opened) -> None:
    """After its world a queue still takes and gives, without waiting; outside a world the real one is made."""
    with opened():
        items: queue.SimpleQueue[int] = queue.SimpleQueue()
    items.put_nowait(3)
    assert items.get() == 3
    with pytest.raises(queue.Empty):
        items.get()
    assert type(SimpleQueue()) is queue.SimpleQueue
    assert get_origin(SimpleQueue.__class_getitem__(int)) is SimpleQueue
