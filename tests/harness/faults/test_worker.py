"""A blocking call never holds up a run for longer than its deadline."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from harness.faults.worker import TooLong, in_thread


def test_the_result_and_the_error_come_back() -> None:
    """What the call returns or raises is what the caller gets."""
    assert asyncio.run(in_thread(lambda: 42, timeout=5.0, name="t")) == 42
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 // 0, timeout=5.0, name="t"))


def test_a_call_that_hangs_is_given_up_and_undone_when_it_ends() -> None:
    """The caller goes on after the deadline; the late result is handed over so that it can be undone."""
    go, undone = threading.Event(), threading.Event()
    late = []

    def hang() -> Any:
        go.wait(30)
        return "frozen"

    def undo(result: Any) -> None:
        late.append(result)
        undone.set()

    with pytest.raises(TooLong):
        asyncio.run(in_thread(hang, timeout=0.05, name="t", late=undo))
    assert late == []
    go.set()
    assert undone.wait(10)
    assert late == ["frozen"]


def test_a_cancelled_caller_leaves_nothing_behind() -> None:
    """Cancelling the wait does not lose the result of a call that went through."""
    go, undone, begun = threading.Event(), threading.Event(), threading.Event()

    def hang() -> Any:
        begun.set()
        go.wait(30)
        return 1

    async def cancel() -> None:
        task = asyncio.create_task(in_thread(hang, timeout=30.0, name="t", late=lambda result: undone.set()))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    go.set()
    assert undone.wait(10)


def test_the_thread_does_not_keep_the_program_alive() -> None:
    """A call that never returns is made in a daemon thread."""
    seen = []
    asyncio.run(in_thread(lambda: seen.append(threading.current_thread().daemon), timeout=5.0, name="t"))
    assert seen == [True]
