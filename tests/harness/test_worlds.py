"""Being in a world for one run, and what stays of it."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from harness.report.simulated import SimRecord
from harness.scenario.model import World
from harness.sim import ReplayDiverged
from harness.sim import World as SimWorld
from harness.sim.kernel import current_thread
from harness.worlds import Simulation, entered

pytestmark = [pytest.mark.unit, pytest.mark.sim]


class Witness:
    """A part that notes in which order things happen to it."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    def install(self, world: Any) -> None:
        """Part of the world begins."""
        self.seen.append(f"+{self.name}")

    def remove(self) -> None:
        """It ends."""
        self.seen.append(f"-{self.name}")


def chances() -> list[float]:
    """Something that depends on choices: the order of threads that wake at one moment; and a number."""
    order: list[float] = []

    def run(number: float) -> None:
        time.sleep(1.0)
        order.append(number)

    threads = [threading.Thread(target=run, args=(float(number),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [*order, random.random()]


def test_the_real_world_is_as_it_is() -> None:
    """No part is installed, nothing is patched, and of no simulation anything is kept."""
    seen: list[str] = []
    simulation, sleep = Simulation(), time.sleep

    with entered(World.REAL, 1, parts=(Witness("a", seen),), simulation=simulation):
        assert time.sleep is sleep
        assert current_thread() is None

    assert (seen, simulation.world, simulation.record) == ([], None, None)


def test_a_simulated_world_is_entered_with_its_parts() -> None:
    """Time is virtual inside; parts are removed in reverse order; what was patched is what it was."""
    seen: list[str] = []
    sleep = time.sleep

    with entered(World.SIM, 1, parts=(Witness("a", seen), Witness("b", seen))):
        begin = time.monotonic()
        time.sleep(86_400)
        assert time.monotonic() - begin == 86_400.0

    assert seen == ["+a", "+b", "-b", "-a"]
    assert time.sleep is sleep


def test_what_happened_is_kept() -> None:
    """World, choices, trace and what identifies them, when the world is over."""
    simulation = Simulation(trace=3)
    made: list[object] = []

    with entered(World.SIM, 5, simulation=simulation):
        chances()
        time.sleep(1.5)
        made.append(simulation.made)

    assert made == [None]
    kept = (simulation.world, simulation.made, simulation.events, simulation.record)
    world, tape, events, record = kept
    assert world is not None
    assert tape is not None
    assert events is not None
    assert max(len(event.stack) for event in events.events) == 3
    assert record == SimRecord(digest=world.digest, events=len(events), choices=len(tape.choices), elapsed=2.5)
    assert len(tape.choices) >= 4
    assert len(events) > 10


def test_what_happened_is_kept_also_when_the_run_fails() -> None:
    """It is what shows why: the choices up to there lead there again."""
    simulation = Simulation()

    def fail() -> None:
        with entered(World.SIM, 5, simulation=simulation):
            chances()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert simulation.made is not None
    assert simulation.record is not None
    assert (simulation.record.elapsed, simulation.record.choices) == (1.0, len(simulation.made.choices))


def test_choices_are_made_again() -> None:
    """The tape of one run leads another one the same way; a run that asks for other choices is told so."""
    first = Simulation()
    with entered(World.SIM, 5, simulation=first):
        found = chances()
    assert first.made is not None

    again = Simulation(tape=first.made.rewound())
    with entered(World.SIM, 5, simulation=again):
        assert chances() == found
    assert again.record == first.record

    other = Simulation(tape=first.made.rewound())
    with pytest.raises(ReplayDiverged), entered(World.SIM, 5, simulation=other):
        [chances() for _ in range(2)]


def test_without_a_tape_the_seed_decides() -> None:
    """The same seed gives the same, another one another."""
    found = []
    for seed in (5, 5, 6):
        with entered(World.SIM, seed):
            found.append(chances())

    assert found[0] == found[1] != found[2]


def test_an_interrupt_waits_for_the_main_thread_of_the_world() -> None:
    """It is called there, at its next turn, wherever the request came from; until then it is unheard."""
    simulation, heard = Simulation(), []

    def ask() -> None:
        simulation.interrupt(lambda: heard.append(threading.current_thread() is threading.main_thread()))
        heard.append(simulation.unheard)

    with entered(World.SIM, 1, simulation=simulation):
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(1.0)
        assert heard == [True, True]
        assert simulation.unheard is False
        asking.join()


def test_before_there_is_a_world_an_interrupt_does_nothing() -> None:
    """Nobody is there to be interrupted; the caller has its own note of it."""
    simulation = Simulation()
    simulation.interrupt(pytest.fail)

    with entered(World.SIM, 1, simulation=simulation):
        time.sleep(1.0)

    assert simulation.unheard is False


def test_worlds_are_entered_one_after_the_other() -> None:
    """A world that failed to open leaves the way free for the next."""

    class Broken(Witness):
        def install(self, world: SimWorld) -> None:
            raise LookupError("no such part")

    with pytest.raises(LookupError), entered(World.SIM, 1, parts=(Broken("x", []),)):
        pytest.fail("it was entered")

    with entered(World.SIM, 1):
        time.sleep(1.0)
