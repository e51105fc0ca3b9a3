"""Endings: closed sockets, ended contexts, lingering."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def test_closed_socket(world: Any) -> None:
    """Every call on a closed socket is refused (ENOTSOCK; poll: ENOTSUP); closing it again is harmless."""
    socket = world.socket(zmq.REP)
    socket.close()
    assert socket.closed
    calls = (
        lambda: socket.send(b"x"), lambda: socket.recv(), lambda: socket.last_endpoint,
        lambda: socket.bind("inproc://x"), lambda: socket.unbind("inproc://x"),
        lambda: socket.connect("inproc://x"), lambda: socket.disconnect("inproc://x"),
        lambda: socket.setsockopt(zmq.LINGER, 0), lambda: socket.getsockopt(zmq.TYPE),
        lambda: socket.monitor(None, 0),
    )  # fmt: skip
    assert [world.outcome(call) for call in calls] == ["ENOTSOCK"] * len(calls)
    assert world.outcome(lambda: socket.poll(0)) == "ENOTSUP"
    socket.close()
    assert repr(socket).endswith("closed>")


def test_ended_context(world: Any) -> None:
    """An ended context is closed, makes no sockets and tells no options; ending it again is harmless."""
    context = world.new_context()
    context.socket(zmq.REQ).close(0)
    context.term()
    context.term()
    assert context.closed
    assert world.outcome(lambda: context.socket(zmq.REQ)) == "ENOTSUP"
    with pytest.raises(RuntimeError, match="Context has been destroyed"):
        context.get(zmq.IO_THREADS)


def test_term_wakes_who_waits(world: Any) -> None:
    """term() ends a blocked receive with ContextTerminated and itself ends when the socket is closed."""
    context = world.new_context()
    events: list[str] = []

    def serve() -> None:
        socket = world.socket(zmq.REP, context)
        socket.bind("inproc://serve")
        try:
            socket.recv()
        except zmq.ContextTerminated:
            events.append("terminated")
            world.settle(0.1)
            events.append(str(world.outcome(lambda: socket.recv(NOW))))
            events.append(str(world.outcome(lambda: socket.send(b"", NOW))))
            events.append(str(world.outcome(lambda: socket.getsockopt(zmq.EVENTS))))
            events.append(f"closed: {socket.closed}")
        socket.close()

    thread = world.thread(serve)
    world.settle()
    context.term()
    thread.join(5)
    assert events == ["terminated", "ETERM", "ETERM", "ETERM", "closed: False"]


def test_term_waits_for_open_sockets(world: Any) -> None:
    """term() does not return before the last socket is closed, even one that has nothing to send."""
    context = world.new_context()
    ended: list[float] = []
    begin = time.monotonic()

    def end() -> None:
        context.term()
        ended.append(time.monotonic() - begin)

    socket = context.socket(zmq.PUSH)
    thread = world.thread(end)
    world.settle(0.2)
    assert ended == []
    socket.close(0)
    thread.join(5)
    assert ended
    assert ended[0] >= 0.2


def test_term_wakes_a_poller(world: Any) -> None:
    """A poller that waits is woken by term() with ContextTerminated."""
    context = world.new_context()
    seen: list[str] = []

    def wait() -> None:
        socket = context.socket(zmq.PULL)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        seen.append(str(world.outcome(lambda: poller.poll(5_000))))
        socket.close(0)

    thread = world.thread(wait)
    world.settle()
    context.term()
    thread.join(5)
    assert seen == ["ETERM"]


@pytest.mark.parametrize(("linger", "low", "high"), [(0, 0.0, 0.15), (300, 0.29, 1.0)])
def test_linger(world: Any, linger: int, low: float, high: float) -> None:
    """With something unsent, term() takes as long as the closed socket lingers; exactly so where time is virtual."""
    context = world.new_context()
    push = context.socket(zmq.PUSH)
    push.connect(world.nobody())
    push.send(b"nobody wants it")
    push.close(linger)
    begin = time.monotonic()
    context.term()
    assert low <= time.monotonic() - begin < (high if world.name == "sim" else 10.0)


def test_lingering_message_is_delivered(world: Any) -> None:
    """What a closed socket has not sent yet is delivered when the peer appears, and only then term() returns."""
    context = world.new_context()
    address = world.nobody()
    push = context.socket(zmq.PUSH)
    push.reconnect_ivl = 20
    push.connect(address)
    push.send(b"late")
    push.close(-1)
    ended: list[bool] = []

    def end() -> None:
        context.term()
        ended.append(True)

    thread = world.thread(end)
    world.settle(0.15)
    assert ended == []
    pull = world.rebind(zmq.PULL, address)
    assert world.receive(pull) == [b"late"]
    thread.join(5)
    assert ended == [True]


def test_destroy_closes_everything(world: Any) -> None:
    """destroy(linger) closes all sockets of the context first."""
    context = world.new_context()
    sockets = [context.socket(kind) for kind in (zmq.REQ, zmq.PUB, zmq.PUSH)]
    context.destroy(linger=0)
    assert context.closed
    assert all(socket.closed for socket in sockets)


def test_with_blocks(world: Any) -> None:
    """Leaving the blocks closes socket and context."""
    kept: list[Any] = []
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        kept += [context, socket]
        assert [thing.closed for thing in kept] == [False, False]
    assert [thing.closed for thing in kept] == [True, True]


def test_instance_is_shared(world: Any) -> None:
    """Context.instance() is one context until it is ended."""
    one: Any = zmq.Context.instance()
    assert zmq.Context.instance() is one
    one.term()
    two: Any = zmq.Context.instance()
    assert two is not one
    two.term()


def test_shadows(world: Any) -> None:
    """A shadow is another object for the same socket; closing the original closes it."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    shadow: Any = zmq.Socket.shadow(push)
    shadow.send(b"by the shadow")
    assert world.receive(pull) == [b"by the shadow"]
    assert shadow.underlying == push.underlying
    context = zmq.Context(world.context)
    assert context.underlying == world.context.underlying
    other = context.socket(zmq.PAIR)
    other.close(0)
    push.close()
    assert shadow.closed
    shadow.close()


def test_close_in_the_middle(world: Any) -> None:
    """A socket closed between sends gives its port back, and its peers go on with the next."""
    rep, address = world.bound(zmq.REP)
    req = world.connected(zmq.REQ, address, req_relaxed=1, req_correlate=1)
    for n in range(3):
        req.send(b"%d" % n)
        assert world.receive(rep) == [b"%d" % n]
        rep.close()
        world.stir(req)
        rep = world.rebind(zmq.REP, address)
