"""Looking for sockets that are open beyond need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.errors import FaultError
from harness.history.records import Audit
from harness.targets.base import Place, PlaceKind
from harness.targets.schedule_zero import sockets

pytestmark = pytest.mark.unit

SCHEDULER = Place(PlaceKind.PROCESS, "scheduler")
H1 = Place(PlaceKind.HANDLER, "h1")


def looked(*places: Place, ask: Callable[[Place], Mapping[str, int]] | None = None) -> Audit:
    """One search at these places; the server may hold three sockets."""
    return sockets.audit(places, lambda: 7.0, scheduler_sockets=3, ask=ask)


def test_more_than_the_pools_may_hold_are_leaked() -> None:
    """What is allowed differs between the server and a handler."""
    found = looked(SCHEDULER, H1, ask=lambda place: {"REQ": 3, "ROUTER": 9})

    assert (found.at, found.looked_at, found.unseen) == (7.0, 2, ())
    assert found.found == ({"process": "h1", "open": {"REQ": 3, "ROUTER": 9}, "allowed": 2},)


def test_an_agent_that_was_busy_is_asked_once_more() -> None:
    """One time-out on a slow machine is no reason to have seen nothing."""
    asked = []

    def ask(place: Place) -> Mapping[str, int]:
        asked.append(place.name)
        if len(asked) == 1:
            raise FaultError("timed out")
        return {"REQ": 1}

    assert (looked(SCHEDULER, ask=ask).looked_at, asked) == (1, ["scheduler", "scheduler"])


def test_who_cannot_be_asked_is_named_with_the_reason(tmp_path: Path) -> None:
    """So that a search without a result can be understood."""
    nobody = Place(PlaceKind.PROCESS, "scheduler", control=str(tmp_path / "no.sock"))

    found = looked(nobody)

    assert found.looked_at == 0
    assert len(found.unseen) == 1
    assert found.unseen[0].startswith("scheduler: no agent answers at ")


def test_nobody_there_to_be_asked_is_a_reason_too() -> None:
    """It is not the same as all being well."""
    assert looked().unseen == ("no process of the deployment was there to be asked",)


def test_a_governor_may_have_the_sockets_of_the_threads_it_runs() -> None:
    """Its process is then the server's and the handlers' as well."""
    governor = Place(PlaceKind.PROCESS, "governor")

    def found(most: int) -> Audit:
        return sockets.audit(
            [governor], lambda: 7.0, scheduler_sockets=3, governor_sockets=most, ask=lambda place: {"REQ": 9}
        )

    assert found(9).found == ()
    assert found(8).found == ({"process": "governor", "open": {"REQ": 9}, "allowed": 8},)


def test_a_handler_of_several_servers_may_register_with_each() -> None:
    """What it may have open grows with their number."""

    def found(most: int) -> Audit:
        return sockets.audit(
            [H1], lambda: 7.0, scheduler_sockets=3, handler_sockets=most, ask=lambda place: {"REQ": 4}
        )

    assert found(4).found == ()
    assert found(2).found == ({"process": "h1", "open": {"REQ": 4}, "allowed": 2},)
