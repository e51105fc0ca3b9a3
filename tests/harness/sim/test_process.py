"""Processes: groups of threads that live, stop and die together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness.sim.errors import SimError, ThreadFailed
from harness.sim.kernel import Kernel
from harness.sim.process import ProcessState, SimProcess
from harness.sim.trace import Trace
from harness.sim.waiting import WaitQueue

Opened = Callable[..., AbstractContextManager[Kernel]]


def ticker(kernel: Kernel, process: SimProcess, ticks: list[int], every: int = 10) -> None:
    """Start a main thread that notes the time every 10 µs."""

    def tick() -> None:
        while True:
            kernel.sleep(every)
            ticks.append(kernel.now)

    kernel.spawn(process, "MainThread", tick)


def test_a_kill_is_a_power_cut(opened: Opened) -> None:
    """No thread of a killed process runs again, no ``finally`` either, until the world ends."""
    ticks: list[int] = []
    said: list[str] = []
    with opened() as kernel:
        victim = kernel.new_process("victim")

        def program() -> None:
            try:
                ticker(kernel, victim, ticks)
                kernel.sleep(1000)
            finally:
                said.append("finally")

        kernel.spawn(victim, "MainThread", program)
        kernel.sleep(35)
        victim.kill()
        assert (victim.state, victim.exit_code) == (ProcessState.ZOMBIE, -9)
        kernel.sleep(5000)
        assert ticks == [10, 20, 30]
        assert said == []
        victim.reap()
        assert victim.state is ProcessState.DEAD
    assert said == ["finally"]
    assert kernel.lost == []


def test_who_could_run_is_stopped_too(kernel: Kernel) -> None:
    """A thread that is about to get its turn when its process dies does not get it."""
    victim = kernel.new_process("victim")
    turns: list[int] = []

    def spin() -> None:
        for turn in range(1000):
            turns.append(turn)
            kernel.yield_()

    kernel.spawn(victim, "MainThread", spin)
    while not turns:
        kernel.yield_()
    victim.kill()
    made = len(turns)
    kernel.sleep(10)
    assert len(turns) == made < 1000


def test_death_calls_on_exit_then_wakes_who_waits(kernel: Kernel) -> None:
    """`on_exit` runs once, in order, at the moment of death; waiting for `exited` ends at that time."""
    victim = kernel.new_process("victim")
    ticker(kernel, victim, [])
    said: list[tuple[str, int]] = []
    victim.on_exit += [lambda: said.append(("first", kernel.now)), lambda: said.append(("second", kernel.now))]
    kernel.call_at(25, lambda: victim.kill(-15))
    assert victim.exited.wait(1000) is True
    assert kernel.now == 25
    assert said == [("first", 25), ("second", 25)]
    victim.kill()
    assert victim.exit_code == -15
    assert len(said) == 2


def test_an_on_exit_that_waits_is_an_error(kernel: Kernel) -> None:
    """Cleaning up must not wait: the main thread hears of it, and the process is dead all the same."""
    victim = kernel.new_process("victim")
    ticker(kernel, victim, [])
    victim.on_exit.append(lambda: kernel.sleep(1))
    victim.kill()
    with pytest.raises(ThreadFailed, match="on_exit of process victim"):
        kernel.sleep(1)
    assert not victim.alive


def test_who_kills_himself_never_returns(opened: Opened) -> None:
    """A thread that ends its own process runs no further, not even a ``finally``, and the world goes on."""
    said: list[str] = []
    with opened() as kernel:
        victim = kernel.new_process("victim")

        def program() -> None:
            try:
                victim.exit(3)
                said.append("returned")
            finally:
                said.append("finally")

        kernel.spawn(victim, "MainThread", program)
        assert victim.exited.wait(10)
        kernel.sleep(100)
        assert (victim.exit_code, said) == (3, [])
    assert said == ["finally"]


def test_a_process_ends_with_its_main_thread(kernel: Kernel) -> None:
    """When the main thread returns, the process exits with what it returned; its other threads stop for good."""
    ticks: list[int] = []
    process = kernel.new_process("short")

    def program() -> int:
        ticker(kernel, process, ticks)
        kernel.sleep(25)
        return 4

    kernel.spawn(process, "MainThread", program)
    kernel.sleep(100)
    assert process.exit_code == 4
    assert ticks == [10, 20]


def test_the_first_process_cannot_be_killed_or_paused(kernel: Kernel) -> None:
    """The world's own process is refused to kill and pause: nobody would be left to go on."""
    with pytest.raises(SimError, match="cannot be killed"):
        kernel.current_process.kill()
    with pytest.raises(SimError, match="paused"):
        kernel.current_process.pause()


def test_a_pause_stops_all_threads(kernel: Kernel) -> None:
    """A paused process makes no step; what came due meanwhile happens at once when it is resumed."""
    ticks: list[int] = []
    process = kernel.new_process("sleepy")
    ticker(kernel, process, ticks)
    kernel.sleep(25)
    process.pause()
    assert process.state is ProcessState.PAUSED
    kernel.sleep(30)
    assert ticks == [10, 20]
    process.resume()
    kernel.sleep(1)
    assert ticks == [10, 20, 55]
    kernel.sleep(20)
    assert ticks == [10, 20, 55, 65, 75]


def test_a_pause_is_part_of_the_history(opened: Opened) -> None:
    """Pausing and resuming are events, each once: a second call of either changes nothing and is none."""
    with opened(trace=Trace(keep=True)) as kernel:
        process = kernel.new_process("sleepy")
        ticker(kernel, process, [])
        kernel.sleep(5)
        process.pause()
        process.pause()
        kernel.sleep(10)
        process.resume()
        process.resume()
    events = [event for event in kernel.trace.events if event.kind in ("paused", "resumed")]
    told = [(event.now, event.kind, event.detail) for event in events]
    assert told == [(5, "paused", ("sleepy", process.pid)), (15, "resumed", ("sleepy", process.pid))]


def test_a_wake_reaches_a_paused_process_late(kernel: Kernel) -> None:
    """A notification during the pause is kept; the thread goes on when the process is resumed."""
    process = kernel.new_process("sleepy")
    queue = WaitQueue(kernel, "a letter")
    woken: list[tuple[bool, int]] = []
    kernel.spawn(process, "MainThread", lambda: woken.append((queue.wait(50), kernel.now)))
    kernel.sleep(1)
    process.pause()
    assert queue.notify() == 1
    kernel.sleep(99)
    assert woken == []
    process.resume()
    kernel.sleep(1)
    assert woken == [(True, 100)]


def test_a_process_may_pause_itself(kernel: Kernel) -> None:
    """A thread that pauses its own process stops there, and goes on there."""
    process = kernel.new_process("sleepy")
    went_on: list[int] = []

    def program() -> None:
        process.pause()
        went_on.append(kernel.now)

    kernel.spawn(process, "MainThread", program)
    kernel.sleep(10)
    assert went_on == []
    process.resume()
    kernel.sleep(10)
    assert went_on == [10]


def test_a_paused_process_can_be_killed(kernel: Kernel) -> None:
    """SIGKILL does not wait for SIGCONT; resuming the dead does nothing."""
    ticks: list[int] = []
    process = kernel.new_process("sleepy")
    ticker(kernel, process, ticks)
    kernel.sleep(5)
    process.pause()
    process.kill()
    process.resume()
    kernel.sleep(100)
    assert (ticks, process.exit_code) == ([], -9)


def test_a_child_inherits(kernel: Kernel) -> None:
    """Environment, folder, group and session come from the parent unless they are given."""
    parent = kernel.new_process("parent", env={"A": "1"}, cwd="/somewhere")
    child = kernel.new_process("child", parent=parent, argv=["x", "y"])
    assert (child.env, child.cwd, child.group, child.argv) == ({"A": "1"}, "/somewhere", parent.pid, ["x", "y"])
    child.env["A"] = "2"
    assert parent.env == {"A": "1"}
    other = kernel.new_process("other", parent=parent, env={}, cwd="/")
    assert (other.env, other.cwd) == ({}, "/")


def test_a_process_has_a_clock_of_its_own(kernel: Kernel) -> None:
    """Drift set at run time counts from then on, for that process only, and its threads wait by its clock."""
    process = kernel.new_process("hasty")
    kernel.sleep(1_000_000)
    process.clock.drift = 1_000_000  # twice as fast
    waited: list[int] = []

    def program() -> None:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire(timeout=1)
        waited.append(kernel.now)

    kernel.spawn(process, "MainThread", program)
    kernel.sleep(1_000_000)
    assert waited == [1_500_000]
    assert process.clock.monotonic(kernel.now) == 1003.0
    assert kernel.main.process.clock.monotonic(kernel.now) == 1002.0
