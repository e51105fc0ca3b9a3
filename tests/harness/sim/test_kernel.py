"""Choices, traces, globals of processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

import pytest

from harness.errors import ExitCode
from harness.sim.errors import ReplayDiverged, ThreadFailed
from harness.sim.kernel import Kernel
from harness.sim.process import SimProcess
from harness.sim.tape import Choice, Tape
from harness.sim.trace import Trace

Opened = Callable[..., AbstractContextManager[Kernel]]


def crowd(kernel: Kernel) -> list[int]:
    """Five threads that meet every microsecond; the order in which they came by."""
    order: list[int] = []

    def member(number: int) -> None:
        for _ in range(4):
            kernel.sleep(1)
            order.append(number)

    for number in range(5):
        kernel.spawn(kernel.current_process, "member", lambda number=number: member(number))  # type: ignore[misc]
    kernel.sleep(10)
    return order


def test_a_seed_is_a_history(opened: Opened) -> None:
    """The same seed gives the same order and digest; twenty seeds give many orders."""
    histories = set()
    for seed in range(20):
        runs = set()
        for _ in range(2):
            with opened(seed) as kernel:
                runs.add((tuple(crowd(kernel)), kernel.trace.digest))
        assert len(runs) == 1
        histories |= runs
    assert len({order for order, _ in histories}) == 20
    assert len({digest for _, digest in histories}) == 20


def test_a_tape_is_a_history(opened: Opened) -> None:
    """Replaying a run's tape under any seed gives the run again."""
    with opened(seed=3) as kernel:
        order = crowd(kernel)
        assert order != sorted(order)
    with opened(seed=99, tape=kernel.tape.rewound()) as again:
        assert crowd(again) == order
    assert again.trace.digest == kernel.trace.digest


def test_a_tape_of_zeroes_is_plain(opened: Opened) -> None:
    """With every choice set to 0, threads take turns in the order in which they came."""
    with opened(seed=3) as kernel:
        crowd(kernel)
    plain = Tape(3, [choice._replace(value=0) for choice in kernel.tape.choices], loose=True)
    with opened(tape=plain) as again:
        assert crowd(again) == [0, 1, 2, 3, 4] * 4


def test_a_diverging_replay_names_place_and_label(opened: Opened) -> None:
    """A program that asks for something else than its tape holds is stopped at that choice, named from both sides."""
    tape = Tape(1, [Choice("net", 5, "latency", 2), Choice("net", 5, "latency", 4)])
    with opened(tape=tape) as kernel:
        assert kernel.draw("net", 10, 14, "latency") == 12
        with pytest.raises(
            ReplayDiverged, match=r"choice 1: .*'net' 'latency' of 5.* asked for 'disk' 'write' of 9"
        ) as caught:
            kernel.choose("disk", 9, "write")
        assert caught.value.exit_code is ExitCode.NONDETERMINISTIC
        with pytest.raises(ReplayDiverged):
            kernel.sleep(1)


def test_a_divergence_of_the_schedule_ends_the_world(opened: Opened) -> None:
    """When the scheduler itself departs from the tape, the main thread hears of it."""
    with opened(tape=Tape(1, [])) as kernel, pytest.raises(ReplayDiverged, match="its end"):
        crowd(kernel)


def test_one_of_one_is_no_choice(kernel: Kernel) -> None:
    """A choice without alternatives leaves neither tape nor trace."""
    assert kernel.choose("net", 1, "only") == 0
    assert kernel.draw("net", 7, 7, "only") == 7
    assert (kernel.tape.choices, len(kernel.trace)) == ([], 0)


def test_choices_and_records_are_traced(opened: Opened) -> None:
    """The trace holds time, thread, kind and detail of what was chosen and recorded, in order."""
    with opened(trace=Trace(keep=True)) as kernel:
        kernel.sleep(1_500_000)
        value = kernel.draw("net", 0, 9, "latency")
        kernel.record("sent", "ping", 3)
    assert [str(event) for event in kernel.trace.events] == [
        "1.500000 - time",
        f"1.500000 harness/MainThread choice net latency {value}",
        "1.500000 harness/MainThread sent ping 3",
    ]


def test_streams_do_not_disturb_each_other() -> None:
    """Asking one stream more often changes nothing in what another one gives."""
    alone, beside = Tape(5), Tape(5)
    expected = [alone.choose("net", 1000, "x") for _ in range(5)]
    found = []
    for _ in range(5):
        beside.choose("disk", 1000, "y")
        found.append(beside.choose("net", 1000, "x"))
    assert found == expected


def test_each_process_has_its_own_globals(kernel: Kernel) -> None:
    """A process-local attribute shows each process its own value, also one declared while processes exist."""
    module = ModuleType("module")
    module.level = "harness's"  # type: ignore[attr-defined]
    early = kernel.new_process("early")
    kernel.process_local(module, "level", lambda: "new")
    late = kernel.new_process("late")
    seen: list[tuple[str, str]] = []

    def program(name: str) -> None:
        seen.append((name, module.level))
        module.level = name  # type: ignore[attr-defined]
        kernel.sleep(5)
        seen.append((name, module.level))

    for process in (early, late):
        kernel.spawn(process, "MainThread", lambda name=process.name: program(name))  # type: ignore[misc]
    kernel.sleep(1)
    assert module.level == "harness's"
    kernel.sleep(10)
    assert sorted(seen) == [("early", "early"), ("early", "new"), ("late", "late"), ("late", "new")]
    assert module.level == "harness's"


def test_hooks_hear_of_process_switches_only(kernel: Kernel) -> None:
    """`on_leave` and `on_enter` are called in pairs, when the process changes, not when only the thread does."""
    heard: list[str] = []
    kernel.on_leave.append(lambda process: heard.append(f"-{process.name}"))
    kernel.on_enter.append(lambda process: heard.append(f"+{process.name}"))
    child = kernel.new_process("child")

    def program() -> None:
        made = kernel.spawn(child, "second", lambda: None)
        made.ended.wait()

    kernel.spawn(child, "MainThread", program)
    child.exited.wait()
    assert heard == ["-harness", "+child", "-child", "+harness"]


@pytest.mark.parametrize("hooks", ["on_enter", "on_leave"])
def test_a_change_of_processes_that_fails_ends_the_world(kernel: Kernel, hooks: str) -> None:
    """Whoever gives the baton away, a thread that waits or one that ends, it is not lost: the main thread is told."""
    failures = ["lost"]

    def fail(process: SimProcess) -> None:
        if process.name == "child" and failures:
            raise KeyError(failures.pop())

    getattr(kernel, hooks).append(fail)
    kernel.spawn(kernel.new_process("child"), "MainThread", lambda: None)

    with pytest.raises(ThreadFailed, match=r"the change to process \w+ ended with KeyError: 'lost'"):
        kernel.sleep(10)


def test_an_end_that_fails_ends_the_world(kernel: Kernel) -> None:
    """What goes wrong in the kernel while a thread ends is raised in the main thread, which waits no longer."""
    child = kernel.new_process("child")
    kernel.spawn(child, "MainThread", child.threads.clear)

    with pytest.raises(ThreadFailed, match="the end of thread child/MainThread ended with ValueError"):
        kernel.sleep(10)


def test_labels_are_unique(kernel: Kernel) -> None:
    """Threads of one name, and processes of one name, are told apart by their number."""
    first, second = kernel.new_process("server"), kernel.new_process("server")
    names = ["MainThread", "worker", "worker"]
    labels = [kernel.spawn(process, name, lambda: None).label for process in (first, second) for name in names]
    assert labels == [
        "server/MainThread",
        "server/worker",
        "server/worker#2",
        "server#2/MainThread",
        "server#2/worker",
        "server#2/worker#2",
    ]
    assert (first.pid, second.pid) == (5_000_002, 5_000_003)
    assert (first.incarnation, second.incarnation) == (1, 2)
    kernel.sleep(1)
