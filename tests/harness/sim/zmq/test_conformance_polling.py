"""Pollers, proxies, frames: pyzmq's other faces."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def test_poller(world: Any) -> None:
    """A poller tells of each registered socket what it was asked for."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    idle, _ = world.bound(zmq.PULL)
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    poller.register(push, zmq.POLLIN | zmq.POLLOUT)
    poller.register(idle)
    assert dict(poller.poll(0)) == {push: zmq.POLLOUT}
    push.send(b"x")
    poller.modify(push, zmq.POLLIN)
    assert dict(poller.poll(5_000)) == {pull: zmq.POLLIN}
    poller.unregister(pull)
    assert poller.poll(0) == []


def test_poll_times_out(world: Any) -> None:
    """A poll without result takes as long as asked, and not less."""
    pull, _ = world.bound(zmq.PULL)
    begin = time.monotonic()
    assert pull.poll(120) == 0
    assert 0.12 <= time.monotonic() - begin < 10


def test_recv_times_out(world: Any) -> None:
    """RCVTIMEO and SNDTIMEO take as long as asked, and not less."""
    socket = world.socket(zmq.DEALER, rcvtimeo=120, sndtimeo=70)
    begin = time.monotonic()
    assert world.outcome(socket.recv) == "EAGAIN"
    middle = time.monotonic()
    assert world.outcome(lambda: socket.send(b"")) == "EAGAIN"
    assert 0.12 <= middle - begin < 10
    assert 0.07 <= time.monotonic() - middle < 10


def test_poller_is_woken(world: Any) -> None:
    """A poller that waits for two sockets is woken by a message for either."""
    one, first = world.bound(zmq.PULL)
    two, second = world.bound(zmq.PULL)
    poller = zmq.Poller()
    poller.register(one, zmq.POLLIN)
    poller.register(two, zmq.POLLIN)

    def later(address: str) -> None:
        push = world.connected(zmq.PUSH, address)
        world.settle()
        push.send(b"x")
        world.settle()
        push.close()

    for address, socket in ((second, two), (first, one)):
        world.thread(lambda at=address: later(at))
        assert poller.poll(5_000) == [(socket, zmq.POLLIN)]
        socket.recv()


def test_zmq_select(world: Any) -> None:
    """zmq.select sorts sockets by what they are ready for; its time-out is in seconds."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    assert zmq.select([pull], [push], [], 0.01) == ([], [push], [])
    push.send(b"x")
    assert zmq.select([pull], [], [], 5.0) == ([pull], [], [])


def test_events_and_fd(world: Any) -> None:
    """FD rings once for several messages: after one is read it is silent though EVENTS still says POLLIN."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    assert isinstance(pull.FD, int)
    assert pull.fileno() == pull.FD
    assert pull.EVENTS == 0
    for n in range(3):
        push.send(b"%d" % n)
    assert world.readable(pull)
    world.settle()
    assert pull.getsockopt(zmq.EVENTS) == zmq.POLLIN
    assert pull.recv() == b"0"
    assert zmq.zmq_poll([(pull.FD, zmq.POLLIN)], 0) == []
    assert pull.getsockopt(zmq.EVENTS) == zmq.POLLIN
    assert [pull.recv(), pull.recv()] == [b"1", b"2"]
    assert pull.getsockopt(zmq.EVENTS) == 0
    push.send(b"3")
    assert zmq.zmq_poll([(pull.FD, zmq.POLLIN)], 5_000) == [(pull.FD, zmq.POLLIN)]


def test_fd_is_silent_until_the_end_was_seen(world: Any) -> None:
    """FD does not ring for a message that comes after one was read but before anybody found the queue empty."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    assert pull.FD
    push.send(b"1")
    assert world.readable(pull)
    assert pull.getsockopt(zmq.EVENTS) == zmq.POLLIN
    assert pull.recv(NOW) == b"1"
    push.send(b"2")
    world.settle()
    assert zmq.zmq_poll([(pull.FD, zmq.POLLIN)], 0) == []
    assert pull.getsockopt(zmq.EVENTS) == zmq.POLLIN
    assert pull.recv(NOW) == b"2"


def test_fd_is_silent_once_a_message_was_read_that_it_told_of(world: Any) -> None:
    """A recv takes the commands when it finds nothing, also when it then gives a message; FD is silent after it."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    assert pull.getsockopt(zmq.EVENTS) == 0
    assert pull.FD
    for n in range(2):
        push.send(b"%d" % n)
        assert zmq.zmq_poll([(pull.FD, zmq.POLLIN)], 5_000) == [(pull.FD, zmq.POLLIN)]
        assert pull.recv(NOW) == b"%d" % n
        assert zmq.zmq_poll([(pull.FD, zmq.POLLIN)], 0) == []
        assert pull.getsockopt(zmq.EVENTS) == 0


def test_fd_of_a_new_socket(world: Any) -> None:
    """FD is silent while nothing was done, and rings once a socket is bound or connected."""
    fresh, (bound, address) = world.socket(zmq.PULL), world.bound(zmq.PULL)
    connected = world.connected(zmq.PULL, address)
    world.settle()
    sockets = (fresh, bound, connected)
    assert [bool(zmq.zmq_poll([(socket.FD, zmq.POLLIN)], 50)) for socket in sockets] == [False, True, True]


def test_proxy(world: Any) -> None:
    """A proxy carries questions to workers and answers back until its context ends."""
    context = world.new_context()
    addresses: list[str] = []
    ended: list[str] = []

    def run() -> None:
        front, back = world.socket(zmq.ROUTER, context), world.socket(zmq.DEALER, context)
        for socket in (front, back):
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            addresses.append(f"tcp://127.0.0.1:{port}")
        try:
            zmq.proxy(front, back)
        except zmq.ContextTerminated:
            ended.append("terminated")
        front.close()
        back.close()

    thread = world.thread(run)
    world.settle()
    rep = world.connected(zmq.REP, addresses[1])
    reqs = [world.connected(zmq.REQ, addresses[0]) for _ in range(2)]
    for n, req in enumerate(reqs):
        req.send(b"q%d" % n)
    for _ in reqs:
        (question,) = world.receive(rep)
        rep.send(b"re " + question)
    assert [world.receive(req) for req in reqs] == [[b"re q0"], [b"re q1"]]
    context.term()
    thread.join(5)
    assert ended == ["terminated"]


def test_frames(world: Any) -> None:
    """Without copying, frames come: bytes, buffer, length, whether more follow, and who sent them."""
    router, dealer = world.pair(zmq.ROUTER, zmq.DEALER, routing_id=b"me")
    dealer.send_multipart([b"one", memoryview(b"two"), bytearray(b"three"), zmq.Frame(b"four")])
    assert world.readable(router)
    frames = router.recv_multipart(copy=False)
    assert [frame.bytes for frame in frames] == [b"me", b"one", b"two", b"three", b"four"]
    assert [frame.more for frame in frames] == [True, True, True, True, False]
    assert [frame.get(zmq.MORE) for frame in frames] == [1, 1, 1, 1, 0]
    last = frames[-1]
    assert (len(last), bytes(last), bytes(last.buffer), isinstance(last, zmq.Frame)) == (4, b"four", b"four", True)
    assert (last["Socket-Type"], last["Identity"], last["Peer-Address"]) == ("DEALER", "me", "127.0.0.1")
    router.send_multipart(frames[:1] + frames[2:3])
    assert world.receive(dealer) == [b"two"]


def test_trackers(world: Any) -> None:
    """copy=False gives a tracker that is done in the end; tracking a frame that is not tracked is refused."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    small = push.send(b"x", copy=False, track=True)
    large = push.send(b"x" * 60_000, copy=False, track=True)
    assert world.receive(pull) == [b"x"]
    assert len(world.receive(pull)[0]) == 60_000
    for tracker in (small, large):
        tracker.wait(5)
        assert tracker.done
    with pytest.raises(ValueError, match="Not a tracked message"):
        push.send(zmq.Frame(b"x"), track=True)
    assert push.send(b"x") is None


def test_serialised(world: Any) -> None:
    """JSON, pickle, text and own formats, with pyzmq's refusals."""
    one, two = world.pair(zmq.PAIR, zmq.PAIR)
    two.send_json({"a": [1, None]})
    two.send_string("é")
    two.send_pyobj({1, 2})
    two.send_serialized(3, lambda n: [b"%d" % n, b"!"])
    world.readable(one)
    assert one.recv_json() == {"a": [1, None]}
    assert one.recv_string() == "é"
    assert one.recv_pyobj() == {1, 2}
    assert one.recv_serialized(lambda frames: (int(frames[0]), frames[1])) == (3, b"!")
    with pytest.raises(TypeError, match="unicode not allowed, use send_string"):
        two.send("text")
    with pytest.raises(TypeError, match="does not support the buffer interface"):
        two.send_multipart([b"x", 3])


def test_recv_into(world: Any) -> None:
    """recv_into fills a buffer, tells the whole size, and cuts off what does not fit."""
    one, two = world.pair(zmq.PAIR, zmq.PAIR)
    for text in (b"short", b"much too long", b"limited"):
        two.send(text)
    world.settle()
    buffer = bytearray(8)
    assert (one.recv_into(buffer), bytes(buffer)) == (5, b"short\0\0\0")
    assert (one.recv_into(buffer), bytes(buffer)) == (13, b"much too")
    assert (one.recv_into(buffer, nbytes=2, flags=NOW), bytes(buffer)) == (7, b"lich too")
    with pytest.raises(ValueError, match="too big for memoryview"):
        one.recv_into(buffer, nbytes=9)
    with pytest.raises(BufferError):
        one.recv_into(b"read only")


def test_wrong_things_to_poll(world: Any) -> None:
    """What is neither socket nor descriptor is refused."""
    with pytest.raises(TypeError, match="Socket must be a 0MQ socket"):
        zmq.zmq_poll([("x", zmq.POLLIN)], 0)  # type: ignore[list-item]
    assert zmq.zmq_poll([], 0) == []
