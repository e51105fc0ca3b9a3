"""Reports: who cannot go on, why, since when, where."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness.errors import ExitCode
from harness.sim.errors import Deadlock, Livelock
from harness.sim.kernel import Kernel

Opened = Callable[..., AbstractContextManager[Kernel]]


def test_a_deadlock_names_everybody(kernel: Kernel) -> None:
    """Two threads that wait for each other's lock: the report names threads, processes, locks' holders and lines."""
    one, other = threading.Lock(), threading.Lock()

    def crossing(first: threading.Lock, second: threading.Lock) -> None:
        with first:
            kernel.sleep(1_500_000)
            with second:
                raise AssertionError("both locks at once")

    threads = [
        threading.Thread(target=crossing, args=pair, name=name)
        for name, pair in (("A", (one, other)), ("B", (other, one)))
    ]
    for thread in threads:
        thread.start()
    with pytest.raises(Deadlock) as caught:
        threads[0].join()
    assert caught.value.exit_code is ExitCode.FAIL
    assert kernel.failure is caught.value
    text = str(caught.value)
    assert "at 1.500000 s" in text
    line = crossing.__code__.co_firstlineno + 3
    for name, holder in (("A", "B"), ("B", "A")):
        expected = (
            f"{name}: waits for a lock held by harness/{holder} since 1.500000 s, at {__file__}:{line} in crossing"
        )
        assert expected in text
    assert re.search(r"MainThread: waits for the end of thread harness/A .* in test_a_deadlock_names_everybody", text)
    assert "process harness (5000001), running" in text


def test_a_deadlock_tells_of_paused_processes(kernel: Kernel) -> None:
    """A process that was paused and never resumed is shown as paused, its runnable threads as able to run."""
    process = kernel.new_process("sleepy")
    kernel.spawn(process, "MainThread", lambda: kernel.sleep(5))
    kernel.sleep(1)
    process.pause()
    with pytest.raises(Deadlock, match=r"process sleepy \(5000002\), paused:\n    MainThread: could run"):
        process.exited.wait()


def test_the_world_can_be_cleaned_up_after_a_deadlock(kernel: Kernel) -> None:
    """The main thread goes on after the report: it may wait with a time-out, and a further deadlock is told again."""
    with pytest.raises(Deadlock):
        kernel.park("nothing")
    kernel.sleep(10)
    assert kernel.now == 10
    with pytest.raises(Deadlock, match="nothing, again"):
        kernel.park(lambda: "nothing, again")


def test_a_livelock_names_who_runs(opened: Opened) -> None:
    """Threads that only yield to each other are stopped after the given number of steps."""
    with opened(livelock=500) as kernel:

        def spin() -> None:
            while True:
                kernel.yield_()

        for name in ("tick", "tock"):
            threading.Thread(target=spin, name=name).start()
        with pytest.raises(Livelock, match="500 steps were made without time passing") as caught:
            kernel.sleep(1)
        assert "harness/tick" in str(caught.value)
        assert f"at {__file__}:{spin.__code__.co_firstlineno + 2} in spin" in str(caught.value)


def test_timers_that_set_each_other_are_a_livelock(opened: Opened) -> None:
    """A callback that sets itself again for the same moment is stopped, too."""
    with opened(livelock=500) as kernel:

        def again() -> None:
            kernel.call_later(0, again)

        again()
        with pytest.raises(Livelock, match="timers that set each other"):
            kernel.sleep(1)


def test_time_that_passes_is_no_livelock(opened: Opened) -> None:
    """Any number of steps is fine as long as time passes in between."""
    with opened(livelock=50) as kernel:
        for _ in range(1000):
            kernel.yield_()
            kernel.sleep(1)
        assert kernel.now == 1000
