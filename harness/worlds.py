"""The world in which a run is played: this machine as it is, or a simulated one made for this run alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.scenario.model import World

if TYPE_CHECKING:
    from harness.sim import Tape, Trace


class SimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a simulated run: ``digest`` of its trace, how many ``events`` and ``choices`` it had, how much
    virtual time passed (``elapsed``, seconds from the world's begin, set-up and tear-down included)."""

    digest: str
    events: int
    choices: int
    elapsed: float

    @classmethod
    def read(cls, path: Path) -> SimRecord | None:
        """The record at `path`; None when there is none."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return None


@dataclass
class Simulation:
    """How a simulated run is to be made, and afterwards what it was.

    ``tape`` holds the choices to make again; without it they are drawn from the run's seed. ``trace`` is how many
    levels of the stack to keep with each event (0: only the hash of them all).
    """

    tape: Tape | None = None
    trace: int = 0
    made: Tape | None = field(default=None, init=False)
    """The choices that were made."""
    events: Trace | None = field(default=None, init=False)
    record: SimRecord | None = field(default=None, init=False)


@contextlib.contextmanager
def entered(
    world: World, seed: int, *, parts: Sequence[Any] = (), simulation: Simulation | None = None
) -> Iterator[None]:
    """Be in `world` while the block runs; of a simulated one `simulation` keeps what happened, also when it fails."""
    if world is not World.SIM:
        yield
        return
    from harness.sim import World as SimWorld

    wanted = simulation or Simulation()
    sim = SimWorld(seed, tape=wanted.tape, trace=wanted.trace or False, parts=tuple(parts))
    try:
        with sim:
            yield
    finally:
        wanted.made, wanted.events = sim.tape, sim.trace
        wanted.record = SimRecord(
            digest=sim.digest, events=len(sim.trace), choices=len(sim.tape.choices), elapsed=sim.elapsed
        )
