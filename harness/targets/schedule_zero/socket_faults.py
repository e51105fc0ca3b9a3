"""Brings a live REQ socket of the process into a wrong state, by the calls that genuinely lead there.

The code under test then meets libzmq's own EFSM (``Operation cannot be accomplished in current state``, pyzmq#1741):

- ``double-send``: just before it sends, a request that means nothing goes out on its socket, so its own send is the
  second one;
- ``abandon-reply``: the same with a proper ``ping`` whose answer arrives later, as after a time-out: besides EFSM there
  is now a late reply that must not be taken for another's;
- ``recv-first``: just after it has sent, its reply is taken from under it, so its own receive finds no request
  outstanding.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

from harness.agent.server import AgentServer
from schedule_zero import barriers

_PING = b'{"method":"ping","params":{},"request_id":"abandoned-by-fault"}'
_NOISE = b'{"method":"_no_such_method","params":{},"request_id":"double-send-by-fault"}'
_BARRIER = {
    "double-send": "client.before_send",
    "abandon-reply": "client.before_send",
    "recv-first": "client.after_send",
}
_STEAL_TIMEOUT = 2000
"""How long ``recv-first`` waits for the reply it steals, ms; then the call is left alone."""


class _Armed:
    """One armed fault: counts its trigger, and strikes when it is due."""

    def __init__(
        self, agent: AgentServer, id: str, how: str, nth: int | None, odds: float | None, times: int, seed: int
    ) -> None:
        self._agent, self.id, self.how = agent, id, how
        self._nth, self._odds, self._left = nth, odds, times
        self._random = random.Random(f"{seed}/{id}")
        self._seen = 0
        self.at: list[float] = []
        """When it struck, by the machine-wide monotonic clock, in seconds."""
        self._lock = threading.Lock()

    def _due(self, able: bool) -> bool:
        """Count one event; whether to strike now. A socket that is not `able` (it waits for an answer already, say) is
        left alone, and no strike is spent on it."""
        with self._lock:
            self._seen += 1
            due = self._seen >= self._nth if self._nth else self._random.random() < (self._odds or 1.0)
            if not due or not able or self._left <= 0:
                return False
            self._left -= 1
            self.at.append(time.monotonic())
            return True

    def __call__(self, socket: zmq.Socket[bytes], address: str, method: str, **_: Any) -> None:
        if method == "ping":
            return
        if not self._due(self.how == "recv-first" or bool(socket.poll(0, zmq.POLLOUT))):
            return
        self._agent.journal.write("fault", id=self.id, how=self.how, place=address, method=method)
        if self.how == "recv-first":
            if socket.poll(_STEAL_TIMEOUT):
                socket.recv()
            return
        socket.send(_PING if self.how == "abandon-reply" else _NOISE)


class SocketFaults:
    """The commands ``arm`` and ``disarm`` of an agent; any number of faults may be armed at once."""

    def __init__(self, agent: AgentServer) -> None:
        self._agent = agent
        self._armed: dict[str, tuple[_Armed, Callable[[], None]]] = {}

    def install(self) -> None:
        """Add the commands to the agent."""
        self._agent.command("arm", self.arm)
        self._agent.command("disarm", self.disarm)
        self._agent.tell("struck", self.struck)

    def arm(
        self,
        id: str,
        kind: str,
        how: str,
        socket: str = "req",
        event: str = "job.sent",
        nth: int | None = None,
        odds: float | None = None,
        times: int = 1,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Strike `times` times: from the `nth` request on, or with `odds` at each; without either at the next ones."""
        if kind != "zmq.state" or socket != "req" or how not in _BARRIER or event != "job.sent":
            raise ValueError(
                f"expected zmq.state on req at job.sent, how one of {', '.join(_BARRIER)}; "
                f"found {kind}, {socket}, {event}, {how}"
            )
        armed = _Armed(self._agent, id, how, nth, odds, times, seed)
        self._armed[id] = (armed, barriers.listen(_BARRIER[how], armed))
        return {}

    def struck(self) -> dict[str, list[float]]:
        """When each armed fault has struck so far (monotonic s), by its id; ``status`` tells it."""
        return {id: list(armed.at) for id, (armed, _) in list(self._armed.items())}

    def disarm(self, id: str) -> dict[str, Any]:
        """Stop striking; tells how often it ``struck`` and ``at`` which times (monotonic s); never, if it is not
        armed."""
        armed, unlisten = self._armed.pop(id, (None, lambda: None))
        unlisten()
        at = list(armed.at) if armed else []
        return {"struck": len(at), "at": at}
