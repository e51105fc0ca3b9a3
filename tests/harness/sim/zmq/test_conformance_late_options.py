"""Options set after an address was bound or connected: which still count (libzmq copies them then, ``own_t``)."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]


def sent(socket: Any, most: int = 3_000) -> int:
    """How many messages can be sent at once."""
    for number in range(most):
        try:
            socket.send(b"x", zmq.NOBLOCK)
        except zmq.Again:
            return number
    return most


@pytest.mark.parametrize("late", [False, True])
def test_the_routing_id_of_who_connects(world: Any, late: bool) -> None:
    """It is taken along when the address is connected; what is set afterwards is for the next address."""
    router, address = world.bound(zmq.ROUTER)
    dealer = world.socket(zmq.DEALER)
    if not late:
        dealer.routing_id = b"me"
    dealer.connect(address)
    dealer.routing_id = b"me"
    dealer.send(b"1")
    assert (world.receive(router)[0] == b"me") is not late
    other, address = world.bound(zmq.ROUTER)
    dealer.connect(address)
    for _ in range(2):
        dealer.send(b"2")
    assert world.receive(other)[0] == b"me"


@pytest.mark.parametrize("late", [False, True])
def test_the_routing_id_of_who_binds(world: Any, late: bool) -> None:
    """It is taken along when the address is bound."""
    dealer = world.socket(zmq.DEALER)
    if not late:
        dealer.routing_id = b"me"
    port = dealer.bind_to_random_port("tcp://127.0.0.1")
    dealer.routing_id = b"me"
    router = world.connected(zmq.ROUTER, f"tcp://127.0.0.1:{port}")
    world.settle()
    dealer.send(b"1")
    assert (world.receive(router)[0] == b"me") is not late


@pytest.mark.parametrize(("first", "late"), list(itertools.product(["bind", "connect"], [False, True])))
def test_the_routing_id_within_a_process(world: Any, first: str, late: bool) -> None:
    """Of inproc addresses too, whichever side comes first."""
    router, dealer = world.socket(zmq.ROUTER), world.socket(zmq.DEALER)
    if not late:
        dealer.routing_id = b"me"
    for side in (router, dealer) if first == "bind" else (dealer, router):
        if side is router:
            router.bind("inproc://a")
        else:
            dealer.connect("inproc://a")
            dealer.routing_id = b"me"
    dealer.send(b"1")
    assert (world.receive(router)[0] == b"me") is not late


@pytest.mark.parametrize(("side", "late"), list(itertools.product(["server", "client"], [False, True])))
def test_the_longest_message(world: Any, side: str, late: bool) -> None:
    """MAXMSGSIZE set after bind or connect limits none of those connections."""
    router, dealer = world.socket(zmq.ROUTER), world.socket(zmq.DEALER)
    limited = router if side == "server" else dealer
    if not late:
        limited.maxmsgsize = 50
    port = router.bind_to_random_port("tcp://127.0.0.1")
    if side == "server":
        router.maxmsgsize = 50
    dealer.connect(f"tcp://127.0.0.1:{port}")
    dealer.maxmsgsize = 50 if side == "client" else -1
    dealer.send(b"hello")
    peer, _ = world.receive(router)
    if side == "server":
        dealer.send(b"x" * 60)
        receiver = router
    else:
        router.send_multipart([peer, b"x" * 60])
        receiver = dealer
    assert world.readable(receiver, 5_000 if late else 150) is late


@pytest.mark.parametrize("late", [False, True])
def test_the_interval_of_reconnecting(world: Any, late: bool) -> None:
    """RECONNECT_IVL is that of when the address was connected."""
    pull, address = world.bound(zmq.PULL)
    push = world.socket(zmq.PUSH, reconnect_ivl=20 if late else 60_000)
    push.connect(address)
    world.settle()
    push.reconnect_ivl = 60_000
    pull.close()
    world.settle(0.1)
    again = world.rebind(zmq.PULL, address)
    push.send(b"1")
    assert world.readable(again, 5_000 if late else 300) is late


@pytest.mark.parametrize(("early", "late"), [(0, 1), (1, 1), (0, 0)])
def test_immediate(world: Any, early: int, late: int) -> None:
    """IMMEDIATE of when the address was connected says whether there is a pipe before the connection, and after it."""
    push = world.socket(zmq.PUSH, immediate=early)
    push.connect(world.nobody())
    push.immediate = late
    assert bool(push.poll(50, zmq.POLLOUT)) is not bool(early)

    pull, address = world.bound(zmq.PULL)
    other = world.socket(zmq.PUSH, immediate=early)
    other.connect(address)
    assert other.poll(5_000, zmq.POLLOUT)
    other.immediate = late
    pull.close()
    world.stir(other)
    assert bool(other.poll(50, zmq.POLLOUT)) is not bool(early)


@pytest.mark.parametrize("late", [False, True])
def test_conflate(world: Any, late: bool) -> None:
    """CONFLATE of when the address was connected says whether the newest message alone is kept."""
    address = world.nobody()
    push = world.socket(zmq.PUSH)
    if not late:
        push.conflate = 1
    push.connect(address)
    push.conflate = 1
    for number in range(3):
        push.send(b"%d" % number)
    pull = world.rebind(zmq.PULL, address)
    got = [world.receive(pull)]
    while world.readable(pull, 100):
        got.append(world.receive(pull))
    assert got == ([[b"0"], [b"1"], [b"2"]] if late else [[b"2"]])


@pytest.mark.parametrize(
    ("order", "sender", "receiver"), list(itertools.product(["bc", "cb"], [False, True], [False, True]))
)
def test_marks_within_a_process(world: Any, order: str, sender: bool, receiver: bool) -> None:
    """Set later, a high-water mark counts on top of the receiver's of when it was bound (`pipe_t::set_hwms`)."""
    push, pull = world.socket(zmq.PUSH), world.socket(zmq.PULL)
    if not sender:
        push.sndhwm = 5
    if not receiver:
        pull.rcvhwm = 5
    for step in order:
        if step == "b":
            pull.bind("inproc://marks")
        else:
            push.connect("inproc://marks")
    if sender:
        push.sndhwm = 5
    if receiver:
        pull.rcvhwm = 5
    time.sleep(0.05)
    pull.getsockopt(zmq.EVENTS)
    assert sent(push) == (1005 if receiver else 10)


def test_the_mark_of_the_sender_over_a_network(world: Any) -> None:
    """SNDHWM set after connect counts at once for the pipe that is there, RCVHWM too."""
    push = world.socket(zmq.PUSH)
    push.connect(world.nobody())
    assert sent(push, 20) == 20
    push.sndhwm = 25
    assert sent(push, 20) == 5


@pytest.mark.parametrize("late", [False, True])
def test_the_mark_of_who_accepts(world: Any, late: bool) -> None:
    """RCVHWM set after bind, before somebody connects, does not count for connections that come that way."""
    pull = world.socket(zmq.PULL)
    if not late:
        pull.rcvhwm = 2
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    pull.rcvhwm = 2
    push = world.socket(zmq.PUSH, sndhwm=1, sndtimeo=300)
    push.connect(f"tcp://127.0.0.1:{port}")
    world.settle()
    many = 400
    count = 0
    try:
        while count < many:
            push.send(bytes(100_000))
            count += 1
    except zmq.Again:
        pass
    assert (count == many) is late
