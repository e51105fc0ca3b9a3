"""Pings to many at once, and what a ready server says of itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import zmq

from schedule_zero.ports import reserve_port
from schedule_zero.readiness import connected_handlers, ping_all

pytestmark = [pytest.mark.unit, pytest.mark.zmq]


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A context whose end proves that all sockets were closed: it would hang otherwise."""
    with zmq.Context() as context:
        yield context


def answering(context: zmq.Context[zmq.Socket[bytes]], reply: bytes) -> tuple[str, threading.Thread]:
    """The address of a peer that answers one request, and its thread."""
    socket = context.socket(zmq.REP)
    port = socket.bind_to_random_port("tcp://127.0.0.1")

    def answer() -> None:
        with socket:
            if socket.poll(5000):
                socket.recv()
                socket.send(reply)

    thread = threading.Thread(target=answer)
    thread.start()
    return f"tcp://127.0.0.1:{port}", thread


def test_each_is_judged_by_its_own_answer(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Well is who answers with success; refusals, garbage and silence are not; nobody waits for another."""
    good, one = answering(context, b'{"success": true, "message": "pong"}')
    bad, two = answering(context, b'{"success": false, "error": "no"}')
    garbage, three = answering(context, b"\xff")
    with reserve_port() as nobody:
        addresses = {"good": good, "bad": bad, "garbage": garbage, "absent": f"tcp://127.0.0.1:{nobody.port}"}
        began = time.monotonic()

        answers = ping_all(context, addresses, 0.2)

    assert answers == {"good": True, "bad": False, "garbage": False, "absent": False}
    assert 0.15 < time.monotonic() - began < 2.0
    for thread in (one, two, three):
        thread.join()


def test_nobody_to_ask_is_no_wait(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Without addresses the answer is empty and immediate."""
    assert ping_all(context, {}, 10.0) == {}


def test_a_server_that_does_not_answer_lists_nobody() -> None:
    """A refused connection is an empty list, not an error: the monitor asks again."""
    with reserve_port() as nobody:
        assert connected_handlers(f"http://127.0.0.1:{nobody.port}") == {}
