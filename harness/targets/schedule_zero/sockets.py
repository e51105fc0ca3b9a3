"""Which ZeroMQ sockets the processes of a deployment have open, asked of their agents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.history.records import Audit
from harness.targets.base import Place

TRIES = 2
"""Questions to one agent: a process that was busy for the time-out of one is asked once more."""
HANDLER_SOCKETS = 2
"""REQ sockets that a handler may have open for each server: one to register, one to say farewell."""


def audit(
    places: Iterable[Place],
    now: Callable[[], float],
    *,
    scheduler_sockets: int,
    governor_sockets: int = HANDLER_SOCKETS,
    handler_sockets: int = HANDLER_SOCKETS,
    ask: Callable[[Place], Mapping[str, int]] | None = None,
) -> Audit:
    """Look into every process once: more open REQ sockets than its pools may hold are leaked ones.

    `scheduler_sockets` may be open in a server, `governor_sockets` in a governor, whose threads may be the rest, and
    `handler_sockets` in a handler.

    A process that cannot be asked is named in ``unseen`` with the reason.
    """
    ask = ask or _open_sockets
    most = {"scheduler": scheduler_sockets, "governor": governor_sockets}
    leaked: list[dict[str, Any]] = []
    unseen, looked_at = [], 0
    for place in places:
        try:
            counts = _patiently(ask, place)
        except FaultError as error:
            unseen.append(f"{place.name}: {error}")
            continue
        looked_at += 1
        allowed = most.get(place.group or place.name, handler_sockets)
        if counts.get("REQ", 0) > allowed:
            leaked.append({"process": place.name, "open": dict(counts), "allowed": allowed})
    if not looked_at and not unseen:
        unseen.append("no process of the deployment was there to be asked")
    return Audit(
        at=now(), name="sockets", scope="final", looked_at=looked_at, found=tuple(leaked), unseen=tuple(unseen)
    )


def _patiently(ask: Callable[[Place], Mapping[str, int]], place: Place) -> Mapping[str, int]:
    for _ in range(TRIES - 1):
        try:
            return ask(place)
        except FaultError:
            continue
    return ask(place)


def _open_sockets(place: Place) -> Mapping[str, int]:
    counts: Mapping[str, int] = AgentClient(place.control).call("sockets")["open"]
    return counts
