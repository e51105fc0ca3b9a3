"""What the agent does inside the scheduler's processes, at its named barriers.

While nothing is armed, three listeners stand: one that tells when a client recovered, and two that note each execution
in a handler. They touch no socket and change nothing.
"""

from __future__ import annotations

import os
from typing import Any

from harness.agent import protocol
from harness.agent.server import AgentServer
from harness.targets.schedule_zero import calls
from schedule_zero import barriers


def install(agent: AgentServer) -> None:
    """Listen, add the command that arms socket faults, and apply the mutant that the environment names."""
    from harness.targets.schedule_zero.socket_faults import SocketFaults

    journal = agent.journal

    def begin(handler_id: str, method: str, request_id: str | None, **_: Any) -> None:
        calls.begin(handler_id, request_id or "")
        journal.write("begin", handler=handler_id, method=method, request_id=request_id or "")

    def end(handler_id: str, method: str, request_id: str | None, **more: Any) -> None:
        journal.write("end", handler=handler_id, method=method, request_id=request_id or "", ok=more.get("ok", True))

    def recovered(address: str, reason: str, **_: Any) -> None:
        journal.write("event", name="client-recovered", place=address, detail={"reason": reason})
        if "current state" in reason:  # libzmq's own words for EFSM
            journal.write("event", name="efsm-raised", place=address, detail={})

    barriers.listen("handler.before_call", begin)
    barriers.listen("handler.after_call", end)
    barriers.listen("client.recovered", recovered)
    SocketFaults(agent).install()
    agent.command("sockets", open_sockets)
    if mutant := os.environ.get(protocol.ENV_MUTANT):
        from harness.targets.schedule_zero.mutants import apply

        apply(mutant, lambda: journal.write("event", name="mutant-met", place=mutant, detail={}))
        journal.write("event", name="mutant-applied", place=mutant, detail={})


def open_sockets() -> dict[str, Any]:
    """How many ZeroMQ sockets of each type are open in this process, found among all live objects.

    A shadow is no socket of its own: each `zmq.asyncio.Socket` holds one of itself.
    """
    import gc

    import zmq

    counts: dict[str, int] = {}
    for candidate in gc.get_objects():
        if isinstance(candidate, zmq.Socket) and not candidate.closed and not candidate._shadow:
            kind = zmq.SocketType(int(candidate.type)).name
            counts[kind] = counts.get(kind, 0) + 1
    return {"open": counts}
