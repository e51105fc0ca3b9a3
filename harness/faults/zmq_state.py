"""``zmq.state``: a REQ or REP socket is brought, by genuine calls, to where it refuses to go on (EFSM).

In a process of the target the agent does it, at the moment ``when`` names; on a live socket of this process, in
a test, it is done here, in the thread that owns the socket.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar

import zmq
from pydantic import Field

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.faults import zmq_roads
from harness.faults.base import Args, Fault, Surroundings
from harness.history.records import MetBy
from harness.scenario.model import When
from harness.targets.base import Place, PlaceKind

UNBOUNDED = 10**9
"""``times`` that never runs out."""


class How(StrEnum):
    """The roads to EFSM."""

    DOUBLE_SEND = "double-send"
    """REQ: send, and send again."""
    RECV_FIRST = "recv-first"
    """REQ: receive before anything was sent."""
    ABANDON_REPLY = "abandon-reply"
    """REQ: send, and never read the answer; the next send is refused."""
    SEND_FIRST = "send-first"
    """REP: send before a request has come."""

    @property
    def socket(self) -> int:
        """The type of socket that this road is for."""
        return zmq.REP if self is How.SEND_FIRST else zmq.REQ


class StateArgs(Args):
    """Arguments of `ZmqState`."""

    how: How
    """Which road to take."""
    times: int | None = Field(default=None, gt=0)
    """How often at most, where `when` may come true more than once; without it: once for ``nth``, without bound
    for ``odds``.
    """


class ZmqState(Fault[StateArgs]):
    """Bring one socket to EFSM.

    >>> context = zmq.Context(); socket = context.socket(zmq.REQ)
    >>> with ZmqState(Place(PlaceKind.SOCKET, "req", handle=socket), StateArgs(how="recv-first")) as fault:
    ...     fault.place.name
    'req'
    >>> context.destroy(linger=0)
    """

    kind: ClassVar[str] = "zmq.state"
    about: ClassVar[str] = (
        "a REQ or REP socket reaches EFSM: double-send, recv-first, abandon-reply, send-first"
    )
    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.SOCKET,)
    args_model: ClassVar[type[Args]] = StateArgs
    takes_trigger: ClassVar[bool] = True
    triggers: ClassVar[frozenset[str]] = frozenset({"job.sent"})

    def __init__(
        self,
        place: Place,
        args: StateArgs,
        *,
        fault_id: str = "",
        trigger: When | None = None,
        seed: int = 0,
        surroundings: Surroundings | None = None,
    ) -> None:
        super().__init__(place, args, fault_id=fault_id, trigger=trigger, seed=seed, surroundings=surroundings)
        self._thread = threading.get_ident()
        self._on = False

    def inject(self) -> Mapping[str, Any]:
        """Arm the agent, or use the socket that was given."""
        if isinstance(self.place.handle, zmq.Socket):
            detail = self._take_road()
        elif self.place.control:
            detail = AgentClient(self.place.control).call("arm", **self._order())
        else:
            raise FaultError(
                f"{self.place.name}: zmq.state needs a live zmq.Socket, or a process with an agent to do it "
                f"inside; there is neither"
            )
        self._on = True
        return {**detail, "how": self.args.how.value}

    def heal(self) -> Mapping[str, Any]:
        """Disarm the agent, or read the answer that was left, so that the socket can send again."""
        if not self._on:
            return {}
        self._on = False
        if self.place.control:
            return self._disarm()
        self._same_thread()
        return zmq_roads.leave(self.place.handle, self.place.name)

    @property
    def most_strikes(self) -> int | None:
        """`times`, and once without it, unless each event has its odds."""
        by_odds = self.trigger is not None and self.trigger.odds is not None
        return self.args.times or (None if by_odds else 1)

    @property
    def met_by(self) -> MetBy:
        """The next use of a socket in another process; one that was given here is brought to EFSM at once."""
        return MetBy.NOTHING if isinstance(self.place.handle, zmq.Socket) else MetBy.USE

    def strikes(self) -> Sequence[float]:
        """What the agent's status says of this arming, where it says anything."""
        if not self.place.control:
            return ()
        told = AgentClient(self.place.control).call("status").get("struck", {})
        return tuple(float(at) for at in told.get(self._armed_id, ()))

    def _take_road(self) -> dict[str, Any]:
        self._same_thread()
        socket, how = self.place.handle, self.args.how
        found = int(socket.type)
        if found != how.socket:
            names = {int(kind): kind.name for kind in zmq.SocketType}
            raise FaultError(
                f"{self.place.name} is a {names.get(found, found)}; {how.value} is a road of "
                f"{names[how.socket]} only"
            )
        return getattr(zmq_roads, how.name.lower())(socket, self.place.name)  # type: ignore[no-any-return]

    def _same_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise FaultError(
                f"{self.place.name}: a ZeroMQ socket belongs to one thread; this fault was made in another "
                f"one than it is used in. "
                "Use the socket's own thread, or a place that has an agent."
            )

    def _order(self) -> dict[str, Any]:
        """What the agent is told; without a trigger it acts the next time the socket is used."""
        order: dict[str, Any] = {
            "id": self._armed_id,
            "kind": self.kind,
            "how": self.args.how.value,
            "seed": self.seed,
            "socket": self.place.name.rpartition(".")[2] or "req",
        }
        if self.trigger is None:
            return {**order, "nth": 1, "times": self.args.times or 1}
        order["event"] = self.trigger.event
        if self.trigger.odds is not None:
            return {**order, "odds": self.trigger.odds, "times": self.args.times or UNBOUNDED}
        return {**order, "nth": self.trigger.nth, "times": self.args.times or 1}

    @property
    def _armed_id(self) -> str:
        return f"{self.fault_id}@{self.place.name}"

    def _disarm(self) -> dict[str, Any]:
        try:
            return AgentClient(self.place.control).call("disarm", id=self._armed_id)
        except FaultError:
            # Gone with its process, and the arming with it: the next process of that name starts without.
            if process_gone(self.place):
                return {"gone": True}
            raise


def process_gone(place: Place) -> bool:
    """Whether the process that an agent of `place` lived in is certain to run no more."""
    from harness.faults.ownership import ProcessGone, live_process

    try:
        live_process(place)
    except ProcessGone:
        return True
    return False
