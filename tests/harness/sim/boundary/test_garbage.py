"""The collector does not run inside a world, and what it finds at the end disturbs nobody."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from typing import Any

import pytest

from harness.sim import World


class Cycle:
    """Reaches for the world when it is finalized."""

    def __init__(self, log: list[str]) -> None:
        self.me = self
        self.log = log

    def __del__(self) -> None:
        self.log.append("finalized")
        time.sleep(5)


def test_nothing_is_collected_inside() -> None:
    """A cycle made inside is finalized at the end of the world, however much is allocated meanwhile."""
    log: list[str] = []
    with World() as world:
        Cycle(log)
        for _ in range(100_000):
            [[]]  # noqa: B018 - allocates
        assert not gc.isenabled()
        assert log == []
        elapsed = world.elapsed

    assert log == ["finalized"]
    assert elapsed == 0
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    """The state before is the state after."""
    gc.disable()
    try:
        with World():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_finalizers_are_refused_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finalizer that waits for something simulated after the end is refused; no unraisable error is told."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    class Waiter:
        def __init__(self) -> None:
            self.me = self
            self.event = threading.Event()

        def __del__(self) -> None:
            self.event.wait()

    with World():
        Waiter()

    assert told == []


def test_other_errors_of_finalizers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary mistake in a finalizer is told as ever."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: told.append(args.exc_type))

    class Broken:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            raise KeyError("mine")

    with World():
        Broken()

    assert told == [KeyError]


def test_tasks_of_the_killed_are_not_mourned(caplog: pytest.LogCaptureFixture) -> None:
    """A process that is killed leaves pending tasks; asyncio says nothing about them."""

    def child() -> None:
        asyncio.run(asyncio.sleep(1000))

    with World() as world:
        process = world.kernel.new_process("child")
        world.kernel.spawn(process, "MainThread", child)
        time.sleep(1)
        process.kill()
    gc.collect()

    assert "Task was destroyed" not in caplog.text


@pytest.mark.parametrize("grouped", [False, True])
def test_tasks_that_a_kill_ended_say_nothing_however_late(grouped: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A task that killed its own process ends with `Killed`: no traceback of it, even if it is collected much later.

    Nor of a future of that process whose ordinary error nobody asked for.
    """
    kept: list[asyncio.Future[Any]] = []

    async def struck() -> None:
        world.kernel.current_process.kill()

    async def in_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            kept.append(group.create_task(struck()))
            await asyncio.sleep(1)

    async def child() -> None:
        kept.append(lost := asyncio.get_running_loop().create_future())
        lost.set_exception(KeyError("nobody asked"))
        kept.append(asyncio.create_task(in_a_group() if grouped else struck()))
        await asyncio.sleep(1)

    with World() as world:
        process = world.kernel.new_process("child")
        world.kernel.spawn(process, "MainThread", lambda: asyncio.run(child()))
        time.sleep(2)
        assert process.exit_code == -9
    assert len(kept) == 2 + grouped
    kept.clear()
    gc.collect()

    assert caplog.text == ""


def test_tasks_of_the_living_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """An error that no one asked a task for is told in the words of asyncio while its process lives."""

    async def program() -> None:
        asyncio.get_running_loop().create_future().set_exception(KeyError("nobody asked"))

    with World():
        asyncio.run(program())

    assert "exception was never retrieved" in caplog.text
    assert "nobody asked" in caplog.text


def test_what_the_host_does_at_a_collection_is_not_done_in_a_world() -> None:
    """Hypothesis reads a clock whenever the collector runs: in a world that was a read of the program's."""
    hosts: list[str] = []
    programs: list[str] = []

    def of_host(phase: str, info: dict[str, int]) -> None:
        hosts.append(phase)

    def of_program(phase: str, info: dict[str, int]) -> None:
        programs.append(phase)

    gc.callbacks.append(of_host)
    before = gc.callbacks[:]
    try:
        with World():
            seen = len(hosts)
            gc.callbacks.append(of_program)
            gc.collect()
            assert (len(hosts), programs) == (seen, ["start", "stop"])
        assert gc.callbacks == [*before, of_program]
    finally:
        gc.callbacks[:] = [one for one in gc.callbacks if one not in (of_host, of_program)]
