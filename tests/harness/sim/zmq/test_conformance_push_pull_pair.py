"""PUSH, PULL, PAIR: order, high-water marks, credit, second comers."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def fill(socket: Any, most: int = 100) -> int:
    """Send until there is no room; how many went in."""
    for n in range(most):
        try:
            socket.send(b"%d" % n, NOW)
        except zmq.Again:
            return n
    return most


def test_order_is_kept(world: Any) -> None:
    """One sender's messages arrive in the order in which they were sent, multipart ones whole."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    sent = [[b"%d" % n] if n % 3 else [b"%d" % n, b"", b"z"] for n in range(50)]
    for message in sent:
        push.send_multipart(message)
    assert [world.receive(pull) for _ in sent] == sent


@pytest.mark.parametrize(
    ("snd", "rcv", "room", "reads"), [(1, 1, 2, 1), (10, 10, 20, 10), (3, 5, 8, 4), (7, 2, 9, 5), (0, 5, 100, 1)]
)
def test_inproc_high_water_marks_add_up(world: Any, snd: int, rcv: int, room: int, reads: int) -> None:
    """Within a process both marks count together, 0 is no limit, and half of it must be read before there is room."""
    pull = world.socket(zmq.PULL, rcvhwm=rcv)
    pull.bind("inproc://marks")
    push = world.socket(zmq.PUSH, sndhwm=snd)
    push.connect("inproc://marks")
    assert fill(push) == room
    taken = 0
    while True:
        pull.recv(NOW)
        taken += 1
        if push.poll(0, zmq.POLLOUT):
            break
    assert taken == reads


@pytest.mark.parametrize("early", [True, False])
def test_inproc_marks_of_an_early_connect(world: Any, early: bool) -> None:
    """It makes no difference to the room whether the bound end or the connected one was there first."""
    pull = world.socket(zmq.PULL, rcvhwm=4)
    push = world.socket(zmq.PUSH, sndhwm=3)
    if early:
        push.connect("inproc://early")
        pull.bind("inproc://early")
    else:
        pull.bind("inproc://early")
        push.connect("inproc://early")
    assert fill(push) == 7


def test_unconnected_queue_is_limited(world: Any) -> None:
    """To a TCP address where nobody is, SNDHWM messages are taken, and then no more."""
    address = world.nobody()
    push = world.connected(zmq.PUSH, address, sndhwm=5)
    assert fill(push) == 5
    pull = world.rebind(zmq.PULL, address)
    assert [world.receive(pull) for _ in range(5)] == [[b"%d" % n] for n in range(5)]


def test_tcp_back_pressure(world: Any) -> None:
    """Over TCP a sender is stopped too, after far more than the marks say, and nothing is lost."""
    pull, address = world.bound(zmq.PULL, rcvhwm=5)
    push = world.connected(zmq.PUSH, address, sndhwm=5, sndtimeo=200)
    world.settle()
    size = 200_000
    sent = 0
    try:
        while sent < 2_000:
            push.send(b"%d" % sent + b"." * size)
            sent += 1
    except zmq.Again:
        pass
    assert 10 < sent < 500
    got = [world.receive(pull)[0].partition(b".")[0] for _ in range(sent)]
    assert got == [b"%d" % n for n in range(sent)]


def test_blocked_sender_goes_on(world: Any) -> None:
    """A sender that waits for room goes on when a message was read."""
    pull = world.socket(zmq.PULL, rcvhwm=1)
    pull.bind("inproc://blocked")
    push = world.socket(zmq.PUSH, sndhwm=1)
    push.connect("inproc://blocked")
    assert fill(push) == 2
    done: list[str] = []

    def send() -> None:
        push.send(b"third")
        done.append("sent")

    thread = world.thread(send)
    world.settle()
    assert done == []
    assert pull.recv() == b"0"
    thread.join(5)
    assert done == ["sent"]
    assert [world.receive(pull) for _ in range(2)] == [[b"1"], [b"third"]]


def test_wrong_directions(world: Any) -> None:
    """A PUSH cannot receive, a PULL cannot send."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    assert world.outcome(lambda: push.recv(NOW)) == "ENOTSUP"
    assert world.outcome(lambda: pull.send(b"", NOW)) == "ENOTSUP"
    assert (push.poll(0), pull.poll(0, zmq.POLLOUT)) == (0, 0)


def test_pull_takes_turns(world: Any) -> None:
    """A PULL reads its senders in turn, beginning with the one that connected first."""
    pull = world.socket(zmq.PULL)
    pull.bind("inproc://turns")
    pushes = [world.connected(zmq.PUSH, "inproc://turns") for _ in range(3)]
    for number, push in enumerate(pushes):
        for n in range(3):
            push.send(b"%d.%d" % (number, n))
    assert [pull.recv(NOW) for _ in range(9)] == [
        b"0.0", b"1.0", b"2.0", b"0.1", b"1.1", b"2.1", b"0.2", b"1.2", b"2.2"
    ]  # fmt: skip


def test_messages_of_the_gone_are_read(world: Any) -> None:
    """What a sender that has closed had sent is received."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    push.send(b"one")
    push.send_multipart([b"two", b"three"])
    world.settle()
    push.close()
    world.settle()
    assert [world.receive(pull) for _ in range(2)] == [[b"one"], [b"two", b"three"]]
    assert world.quiet(pull)


def test_inproc_messages_of_the_gone_are_read(world: Any) -> None:
    """The same within a process, although the sender does not linger."""
    pull = world.socket(zmq.PULL)
    pull.bind("inproc://gone")
    push = world.connected(zmq.PUSH, "inproc://gone")
    push.send(b"one")
    push.close()
    assert world.receive(pull) == [b"one"]


def test_messages_in_a_dead_receiver_are_lost(world: Any) -> None:
    """What a receiver had not read when it closed is lost; what is sent to its successor arrives."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    address = pull.last_endpoint.decode()
    push.send(b"lost")
    world.settle()
    pull.close()
    world.settle()
    push.send(b"kept")
    pull = world.rebind(zmq.PULL, address)
    assert world.receive(pull) == [b"kept"]
    assert world.quiet(pull)


def test_half_a_message_is_never_sent(world: Any) -> None:
    """Parts whose last one was not sent when the socket closed are not delivered."""
    pull, push = world.pair(zmq.PULL, zmq.PUSH)
    push.send(b"whole")
    push.send(b"half", zmq.SNDMORE)
    push.close()
    assert world.receive(pull) == [b"whole"]
    assert world.quiet(pull)


def test_pair_talks_both_ways(world: Any) -> None:
    """A PAIR sends and receives in any order."""
    one, two = world.pair(zmq.PAIR, zmq.PAIR)
    one.send(b"1")
    two.send(b"2")
    two.send(b"3")
    assert [world.receive(one) for _ in range(2)] == [[b"2"], [b"3"]]
    assert world.receive(two) == [b"1"]


def test_second_pair_is_ignored(world: Any) -> None:
    """A second peer of a PAIR is connected and not heard, not even when the first has left."""
    one, first = world.pair(zmq.PAIR, zmq.PAIR)
    second = world.connected(zmq.PAIR, one.last_endpoint.decode())
    world.settle()
    assert world.outcome(lambda: second.send(b"from the second", NOW)) is None
    first.send(b"from the first")
    assert world.receive(one) == [b"from the first"]
    assert world.quiet(one)
    first.close()
    world.settle()
    second.send(b"again")
    assert world.quiet(one)


def test_pair_without_peer(world: Any) -> None:
    """A PAIR without a peer can neither send nor receive now; over inproc it can as soon as it has connected."""
    pair = world.socket(zmq.PAIR)
    assert world.outcome(lambda: pair.send(b"", NOW)) == "EAGAIN"
    assert world.outcome(lambda: pair.recv(NOW)) == "EAGAIN"
    pair.connect("inproc://partner")
    assert world.outcome(lambda: pair.send(b"early", NOW)) is None
    partner = world.socket(zmq.PAIR)
    partner.bind("inproc://partner")
    assert world.receive(partner) == [b"early"]


def test_push_spreads_by_room(world: Any) -> None:
    """A PUSH passes over a peer that is full and goes on with the others."""
    full = world.socket(zmq.PULL, rcvhwm=1)
    full.bind("inproc://full")
    empty = world.socket(zmq.PULL, rcvhwm=100)
    empty.bind("inproc://empty")
    push = world.socket(zmq.PUSH, sndhwm=1)
    push.connect("inproc://full")
    push.connect("inproc://empty")
    for n in range(10):
        push.send(b"%d" % n, NOW)
    assert [full.recv(NOW) for _ in range(2)] == [b"0", b"2"]
    assert world.outcome(lambda: full.recv(NOW)) == "EAGAIN"
    assert [empty.recv(NOW) for _ in range(8)] == [b"%d" % n for n in (1, 3, 4, 5, 6, 7, 8, 9)]


def test_another_pair_may_come_when_the_first_is_gone(world: Any) -> None:
    """A PAIR whose peer has left talks with the next one that connects."""
    one, first = world.pair(zmq.PAIR, zmq.PAIR)
    first.send(b"1")
    assert world.receive(one) == [b"1"]
    first.close()
    world.stir(one)
    one.poll(0)
    world.settle()
    second = world.connected(zmq.PAIR, one.last_endpoint.decode())
    second.send(b"2")
    assert world.receive(one) == [b"2"]
    one.send(b"3")
    assert world.receive(second) == [b"3"]
