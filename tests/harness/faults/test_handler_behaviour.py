"""``handler.silent`` and ``handler.slow`` change one handler and give it back as it was."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from harness.errors import FaultError
from harness.faults.handler_silent import HandlerSilent, SilentArgs
from harness.faults.handler_slow import HandlerSlow, SlowArgs
from harness.mocks.behaviours import Constant, Error, LogNormal, Silent, Slow, parse
from harness.mocks.peer import Peer
from harness.targets.base import Place, PlaceKind


def mock_place(mock: Any) -> Any:
    """A mock of this process as a place."""
    return Place(PlaceKind.HANDLER, "h1", "handlers", handle=mock)


def worker_place(agent: Any) -> Any:
    """A worker with an agent as a place."""
    return Place(PlaceKind.HANDLER, "h1", "handlers", control=agent.address)


def test_a_mock_falls_silent_and_recovers_its_script() -> None:
    """While the fault is on the mock is silent; afterwards it does exactly what it did before."""
    mock: Any = Peer("h1", behaviour=Error("busy"))
    with HandlerSilent(mock_place(mock), SilentArgs()):
        assert mock.behaviour == Silent(ping=True)
    assert mock.behaviour == Error("busy")


def test_a_slow_mock_still_does_what_it_did() -> None:
    """Slowness is put around the behaviour, it does not replace it."""
    mock: Any = Peer("h1", behaviour=Error("busy"))
    with HandlerSlow(mock_place(mock), SlowArgs(p50=0.25)):
        assert mock.behaviour == Slow(Constant(0.25), Error("busy"))
    assert mock.behaviour == Error("busy")


def test_two_faults_healed_in_reverse_leave_the_first_behaviour() -> None:
    """Stacked on one mock, each finds what it left."""
    mock: Any = Peer("h1")
    first = mock.behaviour
    slow, silent = (
        HandlerSlow(mock_place(mock), SlowArgs(p50=1.0, p99=2.0)),
        HandlerSilent(mock_place(mock), SilentArgs(ping=False)),
    )
    slow.inject()
    silent.inject()
    assert mock.behaviour == Silent(ping=False)
    silent.heal()
    assert mock.behaviour == Slow(LogNormal(1.0, 2.0), first)
    slow.heal()
    assert (mock.behaviour, slow.heal()) == (first, {})


def test_two_faults_of_one_mock_may_end_in_any_order() -> None:
    """The one that is left counts, whichever began first; what the first found comes back with the last."""
    mock: Any = Peer("h1")
    first = mock.behaviour
    slow = HandlerSlow(mock_place(mock), SlowArgs(p50=1.0))
    silent = HandlerSilent(mock_place(mock), SilentArgs())
    slow.inject()
    silent.inject()
    slow.heal()
    assert mock.behaviour == Silent(ping=True)
    silent.heal()
    assert mock.behaviour == first


def test_two_faults_of_one_worker_may_end_in_any_order(agent: Any) -> None:
    """A silence that ends while a slowness is on does not come back when that ends."""
    silent = HandlerSilent(worker_place(agent), SilentArgs())
    slow = HandlerSlow(worker_place(agent), SlowArgs(p50=1.5))
    silent.inject()
    slow.inject()
    silent.heal()
    assert agent.switches["handler"] == {"slow": {"p50": 1.5}}
    slow.heal()
    assert agent.switches["handler"] is None


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (lambda place: HandlerSilent(place, SilentArgs()), {"silent": True}),
        (lambda place: HandlerSilent(place, SilentArgs(ping=False)), {"silent": {"ping": False}}),
        (lambda place: HandlerSlow(place, SlowArgs(p50=1.5)), {"slow": {"p50": 1.5}}),
        (lambda place: HandlerSlow(place, SlowArgs(p50=1.5, p99=3.0)), {"slow": {"p50": 1.5, "p99": 3.0}}),
    ],
)
def test_a_worker_is_switched_through_its_agent(agent: Any, fault: Any, value: Any) -> None:
    """The switch holds plain data that the mocks can read, and is back at what it was after the heal."""
    agent.switches["handler"] = "echo"
    with fault(worker_place(agent)):
        assert agent.switches["handler"] == value
        parse(agent.switches["handler"])
    assert agent.switches["handler"] == "echo"


def test_a_handler_that_does_not_look_at_the_switch_is_no_place_for_the_fault(agent: Any) -> None:
    """A fault that would change nothing says so, and leaves the switch as it was."""
    agent.server._obeyed.clear()
    with pytest.raises(FaultError, match="h1: its handler class does not look at the switch 'handler'"):
        HandlerSilent(worker_place(agent), SilentArgs()).inject()
    assert agent.switches.get("handler") is None


def test_a_handler_whose_process_has_just_started_is_waited_for(agent: Any) -> None:
    """Its agent answers before its class is made, which is then the one to obey."""
    agent.server._obeyed.clear()
    place = Place(PlaceKind.HANDLER, "h1", "handlers", control=agent.address, started=time.time())
    made = threading.Timer(0.2, agent.server.obey, ["handler"])
    made.start()
    try:
        with HandlerSilent(place, SilentArgs()):
            assert agent.switches["handler"] == HandlerSilent(place, SilentArgs()).value()
    finally:
        made.join()
    assert agent.switches.get("handler") is None


def test_a_worker_that_died_took_its_switch_with_it(agent: Any, spawn: Any) -> None:
    """A heal at a dead worker is no error."""
    child = spawn()
    fault = HandlerSilent(Place(PlaceKind.HANDLER, "h1", pid=child.pid, control=agent.address), SilentArgs())
    fault.inject()
    agent.close()
    child.kill()
    child.wait()
    assert fault.heal() == {"gone": True}


def test_something_else_than_a_handler_is_refused() -> None:
    """Neither an object without behaviour nor a place without a door can be switched."""
    with pytest.raises(FaultError, match="needs a mock handler, found a dict"):
        HandlerSilent(mock_place({}), SilentArgs()).inject()
    with pytest.raises(FaultError, match="a mock handler, or a worker with an agent; there is neither"):
        HandlerSilent(Place(PlaceKind.HANDLER, "h1"), SilentArgs()).inject()


def test_percentiles_out_of_order_are_refused() -> None:
    """A p99 below the median is a mistake of the scenario."""
    with pytest.raises(ValueError, match=r"p99 \(1 s\) must not lie below p50 \(2 s\)"):
        SlowArgs(p50=2.0, p99=1.0)
