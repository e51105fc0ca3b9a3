"""A fault that is off leaves the traffic byte for byte as it was."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from harness.faults.direct import fault
from harness.mocks.peer import Peer

CALLS = [b'{"method":"work","params":{"n":%d},"request_id":"r%d"}' % (n, n) for n in range(5)]


def conversation(meddle: Any) -> Any:
    """Every frame that a peer and its client saw of five calls; `meddle` gets both before the first."""
    context = zmq.Context()
    try:
        with Peer("h1", seed=1) as peer:
            client = context.socket(zmq.REQ)
            client.setsockopt(zmq.RCVTIMEO, 5000)
            client.connect(peer.address)
            client.poll(5000, zmq.POLLOUT)
            meddle(client, peer)
            answers = []
            for call in CALLS:
                client.send(call)
                answers.append(client.recv_multipart())
            seen = [(call.method, call.params, call.request_id) for call in peer.calls]
    finally:
        context.destroy(linger=0)
    return answers, seen


def never_injected(client: Any, peer: Any) -> None:
    """Faults that were made and never switched on."""
    fault("zmq.state", client, how="double-send")
    fault("handler.silent", peer)
    fault("handler.slow", peer, p50=1.0)


def healed_before(client: Any, peer: Any) -> None:
    """Faults that were on and are off again; the probe of double-send is answered and read when it heals."""
    with fault("handler.silent", peer), fault("handler.slow", peer, p50=1.0):
        pass
    with fault("zmq.state", client, how="recv-first"):
        pass


@pytest.mark.parametrize("meddle", [never_injected, healed_before])
def test_off_is_as_if_it_were_not_there(meddle: Any) -> None:
    """Requests and answers are the same bytes as in a run without any fault."""
    answers, seen = conversation(lambda client, peer: None)
    assert len(answers) == len(seen) == 5
    assert conversation(meddle) == (answers, seen)
