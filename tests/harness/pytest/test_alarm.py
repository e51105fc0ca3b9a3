"""A time-out that strikes a run: it stops in good order first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.pytest.alarm import play
from harness.sim import World
from harness.worlds import Simulation

if TYPE_CHECKING:
    from harness.session import Session

pytestmark = pytest.mark.unit


class TimedOut(BaseException):
    """What a time-out raises; like that of pytest no `Exception`."""


class Played:
    """A session whose runs do what `during` says."""

    def __init__(self, during: Callable[[], None]) -> None:
        self.during, self.told = during, cast("list[str]", [])
        self.simulation = Simulation()

    def interrupt(self) -> None:
        """Note it."""
        self.told.append("interrupt")

    def play(self, planned: object) -> str:
        """Play, and clean up afterwards."""
        self.during()
        self.told.append("cleaned up")
        return "finished"


def ring() -> None:
    """Have the alarm ring now."""
    signal.raise_signal(signal.SIGALRM)


@pytest.fixture
def alarm() -> Iterator[Callable[[Any], None]]:
    """Sets a handler for the alarm; that of before is back afterwards."""
    before = signal.getsignal(signal.SIGALRM)

    def set_to(handler: Any) -> None:
        signal.signal(signal.SIGALRM, handler)

    yield set_to
    signal.signal(signal.SIGALRM, before)


def raises(number: int, frame: FrameType | None) -> None:
    """A handler as pytest-timeout has it."""
    raise TimedOut


def test_the_run_cleans_up_before_the_test_fails(alarm: Callable[[Any], None]) -> None:
    """The alarm stops the run, the run cleans up, and then the time-out fails the test; its handler is back."""
    alarm(raises)
    session = Played(ring)

    with pytest.raises(TimedOut):
        play(cast("Session", session), cast("Any", None))

    assert session.told == ["interrupt", "cleaned up"]
    assert signal.getsignal(signal.SIGALRM) is raises


def test_a_simulated_run_tells_its_threads_and_is_ended_when_it_does_not_listen(
    alarm: Callable[[Any], None],
) -> None:
    """At the first alarm it is asked to stop, and its threads are told; at the second it ends where it stands."""
    alarm(raises)
    told: list[tuple[str, str]] = []
    really = signal.raise_signal  # inside the world the name is the world's

    def during() -> None:
        with World(seed=1) as world:
            session.simulation.world = world
            really(signal.SIGALRM)
            session.simulation.unheard = True
            really(signal.SIGALRM)
            pytest.fail("it went on")

    session = Played(during)
    with pytest.raises(TimedOut):
        play(cast("Session", session), cast("Any", None), lambda *section: told.append(section))

    assert session.told == ["interrupt"]
    ((title, text),) = told
    assert title == "simulated threads at the time-out"
    assert "process harness" in text
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_without_an_alarm_nothing_changes(alarm: Callable[[Any], None]) -> None:
    """A run within its time is returned; where there is no time-out by signal, none is invented."""
    for handler in (raises, signal.SIG_DFL):
        alarm(handler)
        session = Played(lambda: None)
        assert cast("str", play(cast("Session", session), cast("Any", None))) == "finished"
        assert session.told == ["cleaned up"]
        assert signal.getsignal(signal.SIGALRM) is handler
