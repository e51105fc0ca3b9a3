"""ROUTER and DEALER: names, strangers, doubles, turns."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def test_router_names_who_sent(world: Any) -> None:
    """A peer without a name gets one of five bytes that begins with zero; answers go to it."""
    router, dealer = world.pair(zmq.ROUTER, zmq.DEALER)
    dealer.send_multipart([b"one", b"two"])
    name, *rest = world.receive(router)
    assert (len(name), name[:1], rest) == (5, b"\0", [b"one", b"two"])
    router.send_multipart([name, b"back"])
    assert world.receive(dealer) == [b"back"]


def test_router_uses_the_given_name(world: Any) -> None:
    """A peer's ROUTING_ID is its name."""
    router, dealer = world.pair(zmq.ROUTER, zmq.DEALER, routing_id=b"me")
    dealer.send(b"x")
    assert world.receive(router) == [b"me", b"x"]
    router.send_multipart([b"me", b"y"])
    assert world.receive(dealer) == [b"y"]


def test_req_to_router(world: Any) -> None:
    """A REQ puts an empty frame before its question and wants it back."""
    router, req = world.pair(zmq.ROUTER, zmq.REQ, routing_id=b"me")
    req.send(b"q")
    assert world.receive(router) == [b"me", b"", b"q"]
    router.send_multipart([b"me", b"", b"a"])
    assert world.receive(req) == [b"a"]


def test_router_drops_what_is_for_a_stranger(world: Any) -> None:
    """A message to an unknown name, or with a name only, is dropped; the next one is not affected."""
    router, dealer = world.pair(zmq.ROUTER, zmq.DEALER, routing_id=b"me")
    dealer.send(b"hello")
    world.receive(router)
    assert world.outcome(lambda: router.send_multipart([b"nobody", b"x", b"y"])) is None
    assert world.outcome(lambda: router.send(b"only a name")) is None
    router.send_multipart([b"me", b"z"])
    assert world.receive(dealer) == [b"z"]


def test_router_mandatory_refuses_a_stranger(world: Any) -> None:
    """With ROUTER_MANDATORY an unknown name is refused (EHOSTUNREACH), and a ROUTER without peers is not writable."""
    router, _ = world.bound(zmq.ROUTER, router_mandatory=1)
    assert world.outcome(lambda: router.send_multipart([b"nobody", b"x"])) == "EHOSTUNREACH"
    assert router.poll(0, zmq.POLLOUT) == 0
    plain, _ = world.bound(zmq.ROUTER)
    assert plain.poll(0, zmq.POLLOUT) == zmq.POLLOUT


def test_router_mandatory_after_the_peer_left(world: Any) -> None:
    """A peer that has left is a stranger again."""
    router, address = world.bound(zmq.ROUTER, router_mandatory=1)
    dealer = world.connected(zmq.DEALER, address, routing_id=b"me")
    dealer.send(b"x")
    world.receive(router)
    assert world.outcome(lambda: router.send_multipart([b"me", b"y"])) is None
    dealer.close()
    world.settle()
    assert router.poll(0) == 0
    assert world.outcome(lambda: router.send_multipart([b"me", b"z"])) == "EHOSTUNREACH"


def test_second_of_the_same_name_is_ignored(world: Any) -> None:
    """Without ROUTER_HANDOVER a second peer of one name stays outside for good, even after the first has left."""
    router, first = world.pair(zmq.ROUTER, zmq.DEALER, routing_id=b"same")
    first.send(b"1")
    assert world.receive(router) == [b"same", b"1"]
    second = world.connected(zmq.DEALER, router.last_endpoint.decode(), routing_id=b"same")
    second.send(b"2")
    assert world.quiet(router)
    first.send(b"3")
    assert world.receive(router) == [b"same", b"3"]
    first.close()
    world.settle()
    router.poll(0)
    second.send(b"4")
    assert world.quiet(router)


def test_handover_cuts_the_first_off(world: Any) -> None:
    """With ROUTER_HANDOVER the second peer takes the name; the first stays connected and is not heard any more."""
    router, address = world.bound(zmq.ROUTER, router_handover=1)
    first = world.connected(zmq.DEALER, address, routing_id=b"same")
    first.send(b"1")
    assert world.receive(router) == [b"same", b"1"]
    second = world.connected(zmq.DEALER, address, routing_id=b"same")
    second.send(b"2")
    assert world.receive(router) == [b"same", b"2"]
    first.send(b"3")
    assert world.quiet(router, 150)
    router.send_multipart([b"same", b"to the second"])
    assert world.receive(second) == [b"to the second"]
    assert world.quiet(first)


def test_reconnected_client_gets_a_new_name(world: Any) -> None:
    """A nameless client that reconnects is another peer; the old name leads nowhere."""
    router, address = world.bound(zmq.ROUTER)
    dealer = world.connected(zmq.DEALER, address)
    dealer.send(b"1")
    old, _ = world.receive(router)
    router.close()
    world.settle()  # what is sent before the dealer has learned of it may be lost
    router = world.rebind(zmq.ROUTER, address, router_mandatory=1)
    dealer.send(b"2")
    new, body = world.receive(router)
    assert body == b"2"
    assert world.outcome(lambda: router.send_multipart([new, b"x"])) is None
    if new != old:  # two routers may number their peers alike
        assert world.outcome(lambda: router.send_multipart([old, b"x"])) == "EHOSTUNREACH"


def test_connecting_router_names_its_peer(world: Any) -> None:
    """CONNECT_ROUTING_ID names the peer before it has said anything."""
    dealer, address = world.bound(zmq.DEALER)
    router = world.socket(zmq.ROUTER)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"there")
    router.connect(address)
    router.send_multipart([b"there", b"x"])
    assert world.receive(dealer) == [b"x"]


def test_router_to_router(world: Any) -> None:
    """Two ROUTERs talk once each knows the other's name."""
    one, address = world.bound(zmq.ROUTER, routing_id=b"one")
    two = world.connected(zmq.ROUTER, address, routing_id=b"two")
    world.settle()
    two.poll(0)
    two.send_multipart([b"one", b"hi"])
    assert world.receive(one) == [b"two", b"hi"]
    one.send_multipart([b"two", b"ho"])
    assert world.receive(two) == [b"one", b"ho"]


def test_probe_introduces_a_dealer(world: Any) -> None:
    """PROBE_ROUTER sends an empty message on each connection."""
    router, _ = world.pair(zmq.ROUTER, zmq.DEALER, probe_router=1, routing_id=b"me")
    assert world.receive(router) == [b"me", b""]


def test_dealer_takes_turns(world: Any) -> None:
    """A DEALER sends to its peers in turn, whether they are there or not."""
    one, first = world.bound(zmq.DEALER)
    two, second = world.bound(zmq.DEALER)
    dealer = world.socket(zmq.DEALER)
    dealer.connect(first)
    dealer.connect(second)
    for n in range(6):
        dealer.send(b"%d" % n)
    assert [world.receive(one) for _ in range(3)] == [[b"0"], [b"2"], [b"4"]]
    assert [world.receive(two) for _ in range(3)] == [[b"1"], [b"3"], [b"5"]]


def test_half_of_the_messages_go_to_the_dead(world: Any) -> None:
    """Of ten messages to a live and a dead address five wait at the dead one."""
    live, address = world.bound(zmq.PULL)
    push = world.socket(zmq.PUSH)
    push.connect(address)
    push.connect(world.nobody())
    for n in range(10):
        push.send(b"%d" % n)
    assert [world.receive(live) for _ in range(5)] == [[b"%d" % n] for n in range(0, 10, 2)]
    assert world.quiet(live)


def test_fair_queueing(world: Any) -> None:
    """Waiting messages are taken from the peers in turn, not in the order in which they came."""
    router, address = world.bound(zmq.ROUTER)
    clients = [world.connected(zmq.DEALER, address, routing_id=name) for name in (b"a", b"b", b"c")]
    for client in clients:
        client.send(b"hello")
        world.receive(router)
    for client in clients:
        for n in range(3):
            client.send(b"%d" % n)
        world.settle()
    order = [world.receive(router)[0] for _ in range(9)]
    assert sorted(order[:3]) == [b"a", b"b", b"c"]
    assert order == order[:3] * 3


def test_mandatory_and_full(world: Any) -> None:
    """To a peer whose queue is full, a mandatory ROUTER must wait (EAGAIN); another drops the message."""
    router = world.socket(zmq.ROUTER, router_mandatory=1, sndhwm=1)
    router.bind("inproc://full")
    dealer = world.socket(zmq.DEALER, rcvhwm=1, routing_id=b"me")
    dealer.connect("inproc://full")
    outcomes = [world.outcome(lambda: router.send_multipart([b"me", b"x"], NOW)) for _ in range(3)]
    assert outcomes == [None, None, "EAGAIN"]
    router.router_mandatory = 0
    assert world.outcome(lambda: router.send_multipart([b"me", b"lost"], NOW)) is None
    assert [world.receive(dealer) for _ in range(2)] == [[b"x"], [b"x"]]
    assert world.quiet(dealer)


def test_dealer_without_peers_waits(world: Any) -> None:
    """A DEALER or PUSH without any peer cannot send, and is not writable."""
    for kind in (zmq.DEALER, zmq.PUSH):
        socket = world.socket(kind, sndtimeo=20)
        assert world.outcome(lambda made=socket: made.send(b"x", NOW)) == "EAGAIN"
        assert world.outcome(lambda made=socket: made.send(b"x")) == "EAGAIN"
        assert socket.poll(0, zmq.POLLOUT) == 0


def test_probe_introduces_a_router(world: Any) -> None:
    """PROBE_ROUTER does the same on a ROUTER, whose peer then can answer it by name."""
    peer, address = world.bound(zmq.ROUTER)
    router = world.connected(zmq.ROUTER, address, probe_router=1, routing_id=b"me")
    assert world.receive(peer) == [b"me", b""]
    peer.send_multipart([b"me", b"hello"])
    assert world.receive(router)[1:] == [b"hello"]


def test_a_name_is_given_to_one_connection(world: Any) -> None:
    """CONNECT_ROUTING_ID is for the next connection, not for those that follow."""
    one, first = world.bound(zmq.DEALER)
    two, second = world.bound(zmq.DEALER)
    router = world.socket(zmq.ROUTER)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"there")
    router.connect(first)
    router.connect(second)
    world.stir(router, one, two)
    router.send_multipart([b"there", b"x"])
    assert world.receive(one) == [b"x"]
    assert world.quiet(two)


def test_half_a_message_does_not_change_its_peer(world: Any) -> None:
    """When the connection is given up between its parts the rest is dropped; the next message goes to another peer."""
    _, first = world.bound(zmq.DEALER)
    two, second = world.bound(zmq.DEALER)
    dealer = world.connected(zmq.DEALER, first)
    world.settle()
    dealer.send(b"1", zmq.SNDMORE)
    dealer.connect(second)
    dealer.disconnect(first)
    world.stir(dealer, two)
    dealer.send(b"2")
    dealer.send(b"3")
    assert world.receive(two) == [b"3"]
