"""The world in which a run is played: this machine as it is, or a simulated one made for this run alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.report.simulated import SimRecord
from harness.scenario.model import World

if TYPE_CHECKING:
    from harness.sim import Tape, Trace
    from harness.sim import World as SimWorld


@dataclass
class Simulation:
    """How a simulated run is to be made, and afterwards what it was.

    ``tape`` holds the choices to make again; without it they are drawn from the run's seed. ``trace`` is how many
    levels of the stack to keep with each event (0: only the hash of them all).
    """

    tape: Tape | None = None
    trace: int = 0
    world: SimWorld | None = field(default=None, init=False)
    """The world, as soon as there is one; it stays when the run is over."""
    unheard: bool = field(default=False, init=False)
    """Whether an `interrupt` still waits for its turn."""
    made: Tape | None = field(default=None, init=False)
    """The choices that were made."""
    events: Trace | None = field(default=None, init=False)
    record: SimRecord | None = field(default=None, init=False)

    def interrupt(self, callback: Callable[[], object]) -> None:
        """Have the main thread of the world call `callback` as soon as it runs again.

        Made for handlers of real signals: those run in the real main thread whoever holds the baton, and must not
        touch the world otherwise. Before there is a world nothing happens.
        """
        if self.world is None:
            return

        def call() -> None:
            self.unheard = False
            callback()

        main = self.world.kernel.main
        self.unheard = True
        main.interrupts.append(call)
        main.alarm = True


@contextlib.contextmanager
def entered(
    world: World,
    seed: int,
    *,
    parts: Sequence[Any] = (),
    simulation: Simulation | None = None,
    begins: str | None = None,
) -> Iterator[None]:
    """Be in `world` while the block runs; of a simulated one `simulation` keeps what happened, also when it fails.

    `begins` is what the clocks of a simulated one show at first, in ISO 8601 with its offset.
    """
    if world is not World.SIM:
        yield
        return
    from harness.sim import World as SimWorld
    from harness.sim.world import EPOCH

    wanted = simulation or Simulation()
    epoch = EPOCH if begins is None else datetime.fromisoformat(begins)
    wanted.world = sim = SimWorld(seed, tape=wanted.tape, epoch=epoch, trace=wanted.trace or False, parts=tuple(parts))
    try:
        with sim:
            yield
    finally:
        wanted.made, wanted.events = sim.tape, sim.trace
        wanted.record = SimRecord(
            digest=sim.digest, events=len(sim.trace), choices=len(sim.tape.choices), elapsed=sim.elapsed
        )
