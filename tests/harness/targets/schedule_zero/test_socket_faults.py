"""Strikes of the fault that lives beside the scheduler's REQ sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import zmq

from harness.agent.journal import Journal
from harness.targets.schedule_zero.socket_faults import SocketFaults
from schedule_zero import barriers

pytestmark = [pytest.mark.unit, pytest.mark.zmq]


@pytest.fixture
def faults() -> Iterator[SocketFaults]:
    """The faults of an agent that only keeps a journal; nothing stays armed."""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        journal = Journal(Path(folder) / "1.jsonl")
        made = SocketFaults(cast("Any", SimpleNamespace(journal=journal)))
        yield made
        made.disarm("f")
        journal.close()


@pytest.fixture
def sockets() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """Two REQ sockets that are connected to a peer that never answers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    peer = context.socket(zmq.ROUTER)
    port = peer.bind_to_random_port("tcp://127.0.0.1")
    first, second = context.socket(zmq.REQ), context.socket(zmq.REQ)
    for socket in (first, second):
        socket.connect(f"tcp://127.0.0.1:{port}")
    yield first, second
    context.destroy(linger=0)


def _about_to_send(socket: zmq.Socket[bytes]) -> None:
    barriers.reached("client.before_send", socket=socket, address="tcp://h1", method="work", request_id="r")


def test_no_strike_is_spent_on_a_socket_that_cannot_be_struck(
    faults: SocketFaults, sockets: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]
) -> None:
    """One that waits for an answer already is where the fault would bring it; the strike is left for the next one."""
    first, second = sockets
    faults.arm("f", "zmq.state", "abandon-reply", nth=1, times=2)

    for socket in (first, first, first):
        _about_to_send(socket)
    assert len(faults.struck()["f"]) == 1

    _about_to_send(second)
    assert len(faults.struck()["f"]) == 2
    with pytest.raises(zmq.ZMQError, match="current state"):
        second.send(b"x", zmq.NOBLOCK)
