"""The time-out of pytest-timeout, put off until what it struck has ended in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.session import Finished, PlannedRun, Session
    from harness.sim import World

Tell = Callable[[str, str], None]
"""Takes a title, and a text for the report of the test."""
SECOND = 10.0
"""Seconds after which a simulated run that has not heard the alarm is ended where it stands."""


class TimeUp(KeyboardInterrupt):
    """The alarm of pytest-timeout in a simulated world; of this kind, since an event loop swallows any other."""


def play(session: Session, planned: PlannedRun, tell: Tell = lambda title, text: None) -> Finished:
    """Play one run. A time-out that strikes heals and tears down first, and then fails the test as ever.

    pytest-timeout raises from the handler of its signal, wherever the loop happens to be: an exception in the
    midst of some task ends that task alone, and the run would go on without it. `tell` is told what the threads of a
    simulated run waited for.
    """
    from harness.worlds import Simulation

    simulation = session.simulation = Simulation()
    set_timer = signal.setitimer  # the real one: inside a world the name is the world's

    def stop(again: bool) -> None:
        if simulation.world is not None and not again:
            tell(*threads(simulation.world))
            set_timer(signal.ITIMER_REAL, SECOND)
        if again and simulation.unheard:
            raise TimeUp
        session.interrupt()

    with put_off(stop):
        return session.play(planned)


def threads(world: World) -> tuple[str, str]:
    """A title, and what every simulated thread does or waits for."""
    from harness.sim import reports

    return (
        "simulated threads at the time-out",
        f"at {world.elapsed:.6f} s of virtual time:\n{reports.describe(world.kernel)}",
    )


@contextlib.contextmanager
def put_off(stop: Callable[[bool], None]) -> Iterator[None]:
    """Have the alarm call `stop` at once, and its own handler when the block is over.

    `stop` is told whether it rang before, and may raise `TimeUp`. Without an alarm (there is no time-out, or it is that
    of a thread) nothing is done.
    """
    own = signal.getsignal(signal.SIGALRM)
    if not callable(own):
        yield
        return
    rung: list[FrameType | None] = []

    def note(number: int, frame: FrameType | None) -> None:
        again = bool(rung)
        rung.append(frame)
        stop(again)

    signal.signal(signal.SIGALRM, note)
    try:
        yield
    except TimeUp:
        pass  # `own` tells it, below
    finally:
        signal.signal(signal.SIGALRM, own)
        if rung:
            signal.setitimer(signal.ITIMER_REAL, 0)
            own(signal.SIGALRM, rung[0])
