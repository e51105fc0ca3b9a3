"""Runs under the time-out of pytest-timeout, which ends them in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.session import Finished, PlannedRun, Session


def play(session: Session, planned: PlannedRun) -> Finished:
    """Play one run. A time-out that strikes heals and tears down first, and then fails the test as ever.

    pytest-timeout raises from the handler of its signal, wherever the loop happens to be: an exception in the
    midst of some task ends that task alone, and the run would go on without it.
    """
    with _put_off(session.interrupt):
        return session.play(planned)


@contextlib.contextmanager
def _put_off(stop: Callable[[], None]) -> Iterator[None]:
    """Have the alarm call `stop` at once, and its own handler when the block is over."""
    own = signal.getsignal(signal.SIGALRM)
    if not callable(own):  # no time-out by signal: there is none, or it is that of a thread
        yield
        return
    rung: list[FrameType | None] = []

    def note(number: int, frame: FrameType | None) -> None:
        rung.append(frame)
        stop()

    signal.signal(signal.SIGALRM, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, own)
        if rung:
            own(signal.SIGALRM, rung[0])
