"""``process.kill`` ends one process for certain and heals when it runs again."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import FaultError
from harness.faults.base import Alone
from harness.faults.ownership import ProcessGone
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.faults.run_surroundings import RunSurroundings
from harness.targets.base import Place, PlaceKind


class Governed:
    """Surroundings with places that a test changes, and a restart that it counts."""

    run_tag = ""
    allowed = ()

    def __init__(self, *places: Any) -> None:
        self.now = list(places)
        self.asked: list[str] = []
        self.on_restart: Callable[[], Any] = lambda: None

    def places(self) -> Any:
        """The places as they are."""
        return tuple(self.now)

    def restart(self, place: Any, *, timeout: Any) -> None:
        """Note the question, do what the test said."""
        self.asked.append(place.name)
        self.on_restart()


def test_it_dies_by_sigkill(spawn: Any, place_of_child: Any) -> None:
    """The exit code of the child is the signal's, and inject returns only when it is gone."""
    child = spawn()
    detail = ProcessKill(place_of_child(child), KillArgs()).inject()
    assert (detail, child.poll()) == ({"pid": child.pid}, -9)


def test_without_a_target_there_is_nothing_to_wait_for(spawn: Any, place_of_child: Any) -> None:
    """Alone in a test the heal is immediate."""
    with ProcessKill(place_of_child(spawn()), KillArgs(restart=60.0)) as fault:
        assert fault.heal() == {}


def test_a_process_that_is_gone_cannot_be_killed(spawn: Any, place_of_child: Any) -> None:
    """Nothing was injected, so the fault says so instead of pretending."""
    child = spawn()
    place = place_of_child(child)
    child.kill()
    child.wait()
    with pytest.raises(ProcessGone):
        ProcessKill(place, KillArgs()).inject()


def test_it_heals_when_the_governor_has_started_another(spawn: Any, place_of_child: Any) -> None:
    """A process of the same name under another pid is the healing, and nobody else is asked."""
    place = place_of_child(spawn())
    around = Governed(place)
    fault = ProcessKill(place, KillArgs(restart=20.0), surroundings=around)
    fault.inject()
    successor = place_of_child(spawn())
    later = threading.Timer(0.1, lambda: around.now.append(successor))
    later.start()
    detail = fault.heal()
    later.join()
    assert (detail["pid"], detail["by"], around.asked) == (successor.pid, "its governor", [])


def test_a_process_of_another_kind_is_no_successor(spawn: Any, place_of_child: Any) -> None:
    """A handler may be called like the process that was killed: it is still another one."""
    place = place_of_child(spawn())
    around = Governed(place)
    around.now.append(dataclasses.replace(place_of_child(spawn()), kind=PlaceKind.PROCESS))
    fault = ProcessKill(place, KillArgs(restart=0.05), surroundings=around)
    fault.inject()
    assert (fault.heal()["by"], around.asked) == ("the harness", ["h1"])


def test_the_harness_starts_what_nobody_else_started(spawn: Any, place_of_child: Any) -> None:
    """When ``restart`` has passed in vain the target is asked."""
    place = place_of_child(spawn())
    around = Governed(place)
    successor = place_of_child(spawn())
    around.on_restart = lambda: around.now.append(successor)
    fault = ProcessKill(place, KillArgs(restart=0.05), surroundings=around)
    fault.inject()
    detail = fault.heal()
    assert (detail["pid"], detail["by"], around.asked) == (successor.pid, "the harness", ["h1"])


def test_of_a_supervised_process_the_harness_is_the_supervisor(spawn: Any, place_of_child: Any) -> None:
    """It is told so, and has time to end what its predecessor left behind."""
    place = dataclasses.replace(place_of_child(spawn()), supervised=True)
    around = Governed(place)
    successor = place_of_child(spawn())
    around.on_restart = lambda: around.now.append(successor)
    fault = ProcessKill(place, KillArgs(restart=0.05), surroundings=around)
    fault.inject()
    detail = fault.heal()
    assert (detail["pid"], detail["by"], around.asked) == (successor.pid, "its supervisor", ["h1"])
    assert fault.deadline >= 40.0


def test_a_target_is_asked_for_a_process_only_if_it_can_start_one() -> None:
    """Where it cannot, or where nobody is to, the fault says what would help."""
    started: list[str] = []

    class Simple:
        def places(self) -> list[Place]:
            return []

        async def restart_handler(self, name: str) -> None:
            raise AssertionError(name)

    class Whole(Simple):
        async def restart_process(self, name: str) -> None:
            started.append(name)

    async def play() -> None:
        loop = asyncio.get_running_loop()
        governor = Place(PlaceKind.PROCESS, "governor", supervised=True)
        server = Place(PlaceKind.PROCESS, "scheduler")
        whole, simple = RunSurroundings(Whole(), loop), RunSurroundings(Simple(), loop)
        await asyncio.to_thread(whole.restart, governor, timeout=5.0)
        for around, place in ((simple, governor), (whole, server)):
            with pytest.raises(FaultError, match="Give the scenario a governor that restarts it"):
                await asyncio.to_thread(around.restart, place, timeout=5.0)

    asyncio.run(play())
    assert started == ["governor"]


def test_a_dead_successor_is_no_healing(spawn: Any, place_of_child: Any) -> None:
    """A place that still names a process that has ended does not count as running again."""
    place = place_of_child(spawn())
    dead = spawn()
    gone = place_of_child(dead)
    dead.kill()
    dead.wait()
    around = Governed(dataclasses.replace(gone, name="h1"))

    def refuse() -> None:
        raise FaultError("no restart here")

    around.on_restart = refuse
    fault = ProcessKill(place, KillArgs(restart=0.05), surroundings=around)
    fault.inject()
    with pytest.raises(FaultError, match="no restart here"):
        fault.heal()


def test_the_time_for_its_return_is_part_of_its_deadline(spawn: Any, place_of_child: Any) -> None:
    """Whoever plays the fault waits at least as long as the restart may take."""
    fault = ProcessKill(place_of_child(spawn()), KillArgs(restart=90.0), surroundings=Alone())
    fault.inject()
    assert fault.deadline >= 90.0
    assert ProcessKill.lasts(KillArgs(restart=8.0)) == 8.0
