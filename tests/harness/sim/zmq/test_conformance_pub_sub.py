"""PUB, SUB, XPUB, XSUB: subscriptions, what they match, what is lost."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def subscribed(world: Any, *topics: bytes) -> tuple[Any, Any]:
    """A PUB and a SUB with these topics that has been heard of."""
    pub, address = world.bound(zmq.PUB)
    sub = world.socket(zmq.SUB)
    for topic in topics:
        sub.subscribe(topic)
    sub.connect(address)
    world.settle(0.1)
    return pub, sub


def test_only_what_was_subscribed(world: Any) -> None:
    """A SUB gets what begins with one of its topics, whole messages, in order."""
    pub, sub = subscribed(world, b"a", b"bc")
    for message in ([b"a1", b"z"], [b"b"], [b"bc"], [b"xa"], [b"bcd", b"a"]):
        pub.send_multipart(message)
    assert [world.receive(sub) for _ in range(3)] == [[b"a1", b"z"], [b"bc"], [b"bcd", b"a"]]
    assert world.quiet(sub)


def test_empty_topic_is_everything(world: Any) -> None:
    """The empty topic matches all; without any topic nothing comes."""
    pub, everything = subscribed(world, b"")
    nothing = world.connected(zmq.SUB, pub.last_endpoint.decode())
    world.settle()
    pub.send(b"")
    pub.send(b"x")
    assert [world.receive(everything) for _ in range(2)] == [[b""], [b"x"]]
    assert world.quiet(nothing)


def test_nobody_listens(world: Any) -> None:
    """A PUB is always writable, and drops what nobody wants."""
    pub, address = world.bound(zmq.PUB)
    assert pub.poll(0, zmq.POLLOUT) == zmq.POLLOUT
    for _ in range(3000):
        pub.send(b"x", NOW)
    sub = world.socket(zmq.SUB)
    sub.subscribe(b"")
    sub.connect(address)
    assert world.quiet(sub, 100)


def test_subscriptions_are_counted(world: Any) -> None:
    """A topic subscribed to twice must be unsubscribed twice."""
    pub, sub = subscribed(world, b"a", b"a")
    sub.unsubscribe(b"a")
    world.settle()
    pub.send(b"a")
    assert world.receive(sub) == [b"a"]
    sub.unsubscribe(b"a")
    world.settle()
    pub.send(b"a")
    assert world.quiet(sub)


def test_publisher_comes_back(world: Any) -> None:
    """After its publisher was restarted a SUB subscribes anew by itself."""
    pub, sub = subscribed(world, b"a")
    address = pub.last_endpoint.decode()
    pub.close()
    world.settle()
    pub = world.rebind(zmq.PUB, address)
    world.stir(sub, pub)
    pub.send(b"a")
    assert world.receive(sub) == [b"a"]


def test_sub_connects_before_the_publisher_is_there(world: Any) -> None:
    """Subscriptions of a SUB that is early reach the publisher that is late."""
    address = world.nobody()
    sub = world.socket(zmq.SUB)
    sub.connect(address)
    sub.subscribe("topic")
    pub = world.rebind(zmq.PUB, address)
    world.stir(sub, pub)
    pub.send(b"topic 1")
    assert world.receive(sub) == [b"topic 1"]


def test_wrong_directions(world: Any) -> None:
    """A PUB cannot receive, a SUB cannot send; neither is ever ready for it."""
    pub, sub = subscribed(world, b"")
    assert world.outcome(lambda: pub.recv(NOW)) == "ENOTSUP"
    assert world.outcome(lambda: sub.send(b"x", NOW)) == "ENOTSUP"
    assert (pub.poll(0), sub.poll(0, zmq.POLLOUT)) == (0, 0)


def test_slow_subscriber_loses_the_newest(world: Any) -> None:
    """When the queue of a subscriber is full, further messages are dropped for it, and only for it."""
    pub = world.socket(zmq.PUB, sndhwm=3)
    pub.bind("inproc://slow")
    slow = world.socket(zmq.SUB, rcvhwm=2)
    fast = world.socket(zmq.SUB, rcvhwm=100)
    for sub in (slow, fast):
        sub.subscribe(b"")
        sub.connect("inproc://slow")
    for n in range(8):
        pub.send(b"%d" % n)
    assert [slow.recv(NOW) for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert world.outcome(lambda: slow.recv(NOW)) == "EAGAIN"
    assert [fast.recv(NOW) for _ in range(8)] == [b"%d" % n for n in range(8)]


def test_xpub_hears_of_subscriptions(world: Any) -> None:
    """An XPUB receives the first subscription and the last cancellation of each topic."""
    xpub, address = world.bound(zmq.XPUB)
    one = world.connected(zmq.SUB, address)
    two = world.connected(zmq.SUB, address)
    one.subscribe(b"a")
    assert world.receive(xpub) == [b"\x01a"]
    one.subscribe(b"a")
    assert world.quiet(xpub)
    one.unsubscribe(b"a")
    two.subscribe(b"a")
    assert world.quiet(xpub)
    one.unsubscribe(b"a")
    assert world.quiet(xpub)
    two.close()
    assert world.receive(xpub) == [b"\x00a"]


def test_verbose_xpub_hears_of_all(world: Any) -> None:
    """With XPUB_VERBOSE every subscription is told, with XPUB_VERBOSER every cancellation as well."""
    xpub, address = world.bound(zmq.XPUB, xpub_verboser=1)
    for _ in range(2):
        sub = world.connected(zmq.SUB, address)
        sub.subscribe(b"a")
        assert world.receive(xpub) == [b"\x01a"]
        sub.unsubscribe(b"a")
        assert world.receive(xpub) == [b"\x00a"]


def test_xsub_subscribes_by_message(world: Any) -> None:
    """An XSUB subscribes by sending; other messages go up to the XPUB; nothing is filtered on the way in."""
    xpub, xsub = world.pair(zmq.XPUB, zmq.XSUB)
    xsub.send(b"\x01a")
    assert world.receive(xpub) == [b"\x01a"]
    xsub.send(b"upwards")
    assert world.receive(xpub) == [b"upwards"]
    xpub.send(b"xa")
    xpub.send(b"a1")
    assert world.receive(xsub) == [b"a1"]


def test_unwanted_messages_on_the_way(world: Any) -> None:
    """What was published before an unsubscription arrived is filtered by the SUB itself."""
    pub, sub = subscribed(world, b"a", b"b")
    pub.send_multipart([b"a1", b"rest"])
    pub.send(b"b1")
    world.settle()
    sub.unsubscribe(b"a")
    assert world.receive(sub) == [b"b1"]
    assert world.quiet(sub)


def test_welcome_message(world: Any) -> None:
    """XPUB_WELCOME_MSG greets each new subscriber that has subscribed to it."""
    xpub, address = world.bound(zmq.XPUB)
    xpub.setsockopt(zmq.XPUB_WELCOME_MSG, b"hello")
    sub = world.socket(zmq.SUB)
    sub.subscribe(b"h")
    sub.connect(address)
    world.stir(xpub, sub)
    assert world.receive(sub) == [b"hello"]


def test_topics_count(world: Any) -> None:
    """TOPICS_COUNT says how many topics there are on either side."""
    pub, sub = subscribed(world, b"a", b"b", b"a")
    pub.poll(0, zmq.POLLOUT)
    assert (sub.get(zmq.TOPICS_COUNT), pub.get(zmq.TOPICS_COUNT)) == (2, 2)


def test_conflate_keeps_the_newest(world: Any) -> None:
    """A SUB that conflates holds one message, the newest."""
    pub = world.socket(zmq.PUB)
    pub.bind("inproc://conflate")
    sub = world.socket(zmq.SUB, conflate=1)
    sub.subscribe(b"")
    sub.connect("inproc://conflate")
    world.settle()
    for n in range(5):
        pub.send(b"%d" % n)
    world.settle()
    assert world.receive(sub) == [b"4"]
    assert world.quiet(sub)


def test_nodrop_makes_the_publisher_wait(world: Any) -> None:
    """With XPUB_NODROP what a full subscriber wants is refused (EAGAIN), what it does not want is not; none is lost."""
    xpub = world.socket(zmq.XPUB, sndhwm=2, xpub_nodrop=1)
    xpub.bind("inproc://nodrop")
    slow = world.socket(zmq.SUB, rcvhwm=2)
    slow.subscribe(b"a")
    slow.connect("inproc://nodrop")
    fast = world.socket(zmq.SUB, rcvhwm=100)
    fast.subscribe(b"")
    fast.connect("inproc://nodrop")
    assert sorted(world.receive(xpub) for _ in range(2)) == [[b"\x01"], [b"\x01a"]]
    outcomes = [world.outcome(lambda made=n: xpub.send(b"a%d" % made, NOW)) for n in range(5)]
    assert outcomes == [None, None, None, None, "EAGAIN"]
    assert world.outcome(lambda: xpub.send(b"b", NOW)) is None
    assert [slow.recv(NOW) for _ in range(4)] == [b"a0", b"a1", b"a2", b"a3"]
    world.settle()
    assert world.outcome(lambda: xpub.send(b"a5", NOW)) is None
    assert slow.recv(NOW) == b"a5"
    assert [fast.recv(NOW) for _ in range(6)] == [b"a0", b"a1", b"a2", b"a3", b"b", b"a5"]


@pytest.mark.parametrize(
    ("only", "parts", "topics"),
    [
        (0, [b"\x01a", b"\x01b"], 2),
        (1, [b"\x01a", b"\x01b"], 2),
        (0, [b"up", b"\x01b"], 1),
        (1, [b"up", b"\x01b"], 0),
    ],
    ids=["each", "each-with-the-option", "after-another", "none-after-another-with-the-option"],
)
def test_which_parts_of_a_message_subscribe(world: Any, only: int, parts: list[bytes], topics: int) -> None:
    """Any part does; with ONLY_FIRST_SUBSCRIBE none does unless the first one does. Other parts come as they are."""
    xpub, address = world.bound(zmq.XPUB)
    xsub = world.connected(zmq.XSUB, address)
    for socket in (xpub, xsub):
        socket.setsockopt(zmq.ONLY_FIRST_SUBSCRIBE, only)
    world.settle()
    xsub.send_multipart(parts)
    got = world.receive(xpub)
    while len(got) < len(parts):
        got += world.receive(xpub)
    assert got == parts
    assert [socket.get(zmq.TOPICS_COUNT) for socket in (xpub, xsub)] == [topics, topics]


def test_what_goes_up_stays_one_message(world: Any) -> None:
    """A message of several parts from an XSUB is one at the XPUB."""
    xpub, xsub = world.pair(zmq.XPUB, zmq.XSUB)
    xsub.send_multipart([b"one", b"two", b""])
    xsub.send(b"next")
    assert [world.receive(xpub) for _ in range(2)] == [[b"one", b"two", b""], [b"next"]]


@pytest.mark.parametrize(("option", "heard"), [("xpub_verbose", False), ("xpub_verboser", True)])
def test_who_hears_of_each_cancellation(world: Any, option: str, heard: bool) -> None:
    """With XPUB_VERBOSER each is told, also of who leaves; with XPUB_VERBOSE the last one is."""
    xpub, address = world.bound(zmq.XPUB, **{option: 1})
    subs = [world.connected(zmq.SUB, address) for _ in range(3)]
    for sub in subs:
        sub.subscribe(b"a")
        assert world.receive(xpub) == [b"\x01a"]
    subs[0].unsubscribe(b"a")
    assert (world.receive(xpub) == [b"\x00a"]) if heard else world.quiet(xpub)
    subs[1].close()
    assert (world.receive(xpub) == [b"\x00a"]) if heard else world.quiet(xpub)
    subs[2].close()
    assert world.receive(xpub) == [b"\x00a"]


def test_the_rest_of_an_unwanted_message_is_unwanted(world: Any) -> None:
    """A SUB drops it whole, although a later part begins with a topic of its own."""
    pub, sub = subscribed(world, b"a", b"b")
    pub.send_multipart([b"a1", b"b2"])
    world.settle()
    sub.unsubscribe(b"a")
    assert world.quiet(sub)
    pub.send(b"b3")
    assert world.receive(sub) == [b"b3"]
