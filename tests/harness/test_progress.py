"""What is shown while a run is simulated."""

from __future__ import annotations

import io
import sys
import time

import pytest

from harness.progress import Progress
from harness.scenario.model import World
from harness.worlds import Simulation, entered

pytestmark = [pytest.mark.unit, pytest.mark.sim]


class Terminal(io.StringIO):
    """A terminal that wants colours."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in an environment that refuses nothing."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_the_virtual_clock_is_shown_and_the_line_cleared(terminal: Terminal) -> None:
    """By a thread of no world: the trace is that of a run that nobody watches."""
    digests = []
    for quiet in (True, False):
        simulation = Simulation()
        with Progress("slow", 3, simulation, file=terminal, quiet=quiet):
            with entered(World.SIM, 3, simulation=simulation):
                time.sleep(7200)
                begun = time.process_time()
                while "2 h of virtual time" not in terminal.getvalue() and not quiet:
                    assert time.process_time() - begun < 60
                    sum(range(10_000))
            assert simulation.record is not None
            digests.append(simulation.record.digest)

    assert digests[0] == digests[1]
    assert "slow: simulating, seed 3: 2 h of virtual time" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_elsewhere_one_line_stays() -> None:
    """Nothing moves in a log; nothing at all is written when it is to be quiet."""
    out, quiet = io.StringIO(), io.StringIO()
    with Progress("slow", 3, Simulation(), file=out), Progress("slow", 3, Simulation(), file=quiet, quiet=True):
        pass

    assert out.getvalue() == "slow: simulating, seed 3\n"
    assert quiet.getvalue() == ""


def test_a_terminal_that_is_gone_harms_nobody(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends without an error, and the run goes on."""
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)

    with Progress("slow", 3, Simulation(), file=terminal):
        terminal.close()

    assert errors == []
