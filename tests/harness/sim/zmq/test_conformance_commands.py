"""What a socket learns only while its owner makes a call: connections that came, or came back, in the background."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq
import zmq.asyncio

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK
LONG = 0.15
"""Seconds in which all that can happen in the background has happened."""


def whatever(call: Callable[[], object]) -> None:
    """Make a call that may fail."""
    with contextlib.suppress(zmq.ZMQError):
        call()


def late_to_all(world: Any) -> tuple[Any, Any]:
    """A bound SUB that wants everything, and a PUB that has connected to it since the SUB's last call."""
    sub, address = world.bound(zmq.SUB)
    sub.subscribe(b"")
    sub.getsockopt(zmq.EVENTS)
    pub = world.connected(zmq.PUB, address)
    world.settle(LONG)
    return sub, pub


TAKES: dict[str, Callable[[Any], object]] = {
    "EVENTS": lambda socket: socket.getsockopt(zmq.EVENTS),
    "poll": lambda socket: socket.poll(0),
    "poll-out": lambda socket: socket.poll(0, zmq.POLLOUT),
    "recv": lambda socket: socket.recv(NOW),
    "send": lambda socket: socket.send(b"", NOW),
    "bind": lambda socket: socket.bind("inproc://another"),
    "bind-nonsense": lambda socket: socket.bind("nonsense"),
    "connect": lambda socket: socket.connect("inproc://another"),
    "unbind-unknown": lambda socket: socket.unbind("tcp://127.0.0.1:1"),
    "disconnect-nonsense": lambda socket: socket.disconnect("nonsense"),
}
LEAVES: dict[str, Callable[[Any], object]] = {
    "nothing": lambda socket: None,
    "subscribe": lambda socket: socket.subscribe(b"a"),
    "set": lambda socket: socket.setsockopt(zmq.RCVHWM, 10),
    "FD": lambda socket: socket.getsockopt(zmq.FD),
    "RCVMORE": lambda socket: socket.getsockopt(zmq.RCVMORE),
    "LAST_ENDPOINT": lambda socket: socket.getsockopt(zmq.LAST_ENDPOINT),
    "TOPICS_COUNT": lambda socket: socket.getsockopt(zmq.TOPICS_COUNT),
    "monitor": lambda socket: socket.monitor("inproc://events", zmq.EVENT_BIND_FAILED),
}


@pytest.mark.parametrize("name", TAKES)
def test_what_takes_a_connection_in(world: Any, name: str) -> None:
    """After any of these calls on a bound SUB a publisher knows what it wants, even if the call fails."""
    sub, pub = late_to_all(world)
    whatever(lambda: TAKES[name](sub))
    world.settle(LONG)
    pub.send(b"a")
    assert world.receive(sub) == [b"a"]


@pytest.mark.parametrize("name", LEAVES)
def test_what_leaves_a_connection_outside(world: Any, name: str) -> None:
    """Neither silence nor these calls on a bound SUB tell a publisher what it wants: what that sends is lost."""
    sub, pub = late_to_all(world)
    whatever(lambda: LEAVES[name](sub))
    world.settle(LONG)
    for _ in range(5):
        pub.send(b"a")
    assert world.quiet(sub, 150)
    pub.send(b"b")
    assert world.receive(sub) == [b"b"]


@pytest.mark.parametrize("waits", ["recv", "poll"])
def test_who_waits_takes_a_connection_in(world: Any, waits: str) -> None:
    """A SUB that waits in `recv` or `poll` subscribes at once."""
    sub, address = world.bound(zmq.SUB)
    sub.subscribe(b"")
    got: list[bytes] = []

    def wait() -> None:
        if waits == "poll":
            sub.poll(5_000)
        got.append(sub.recv())

    thread = world.thread(wait)
    world.settle()
    pub = world.connected(zmq.PUB, address)
    world.settle(LONG)
    pub.send(b"a")
    thread.join(5)
    assert got == [b"a"]


def test_a_bound_sub_over_ipc(world: Any, tmp_path: Any) -> None:
    """The same over ipc."""
    sub = world.socket(zmq.SUB)
    sub.subscribe(b"")
    sub.bind(f"ipc://{tmp_path}/s")
    pub = world.connected(zmq.PUB, f"ipc://{tmp_path}/s")
    world.settle(LONG)
    pub.send(b"a")
    assert world.quiet(sub)
    pub.send(b"b")
    assert world.receive(sub) == [b"b"]


def test_a_bound_sub_over_inproc(world: Any) -> None:
    """The same within a process; whoever connects before the SUB is bound is taken in by `bind`."""
    sub = world.socket(zmq.SUB)
    sub.subscribe(b"")
    early = world.connected(zmq.PUB, "inproc://sub")
    sub.bind("inproc://sub")
    late = world.connected(zmq.PUB, "inproc://sub")
    for pub in (late, early):
        pub.send(b"1")
    assert [world.receive(sub), world.quiet(sub)] == [[b"1"], True]
    late.send(b"2")
    assert world.receive(sub) == [b"2"]


def test_who_always_finds_a_message_looks_at_the_hundredth(world: Any) -> None:
    """A PULL that finds a message each time takes a new connection in at its hundredth `recv`."""
    pull, address = world.bound(zmq.PULL)
    first = world.connected(zmq.PUSH, address)
    world.stir(pull)
    for _ in range(300):
        first.send(b"first")
    world.settle(LONG)
    assert pull.poll(5_000)
    second = world.connected(zmq.PUSH, address)
    second.send(b"second")
    world.settle(LONG)
    assert [pull.recv(NOW) for _ in range(102)].index(b"second") == 100


def test_who_finds_a_message_does_not_look_for_others(world: Any) -> None:
    """A PULL first reads what one peer has sent, although another has sent something since: no call had to look."""
    pull, address = world.bound(zmq.PULL)
    one, other = world.connected(zmq.PUSH, address), world.connected(zmq.PUSH, address)
    world.stir(pull)
    for _ in range(3):
        one.send(b"one")
    world.settle(LONG)
    got = [pull.recv()]
    for _ in range(3):
        other.send(b"other")
    world.settle(LONG)
    got += [pull.recv() for _ in range(5)]
    assert got == [b"one"] * 3 + [b"other"] * 3


def test_the_welcome_waits(world: Any) -> None:
    """A bound XPUB welcomes a subscriber when its owner makes a call."""
    xpub, address = world.bound(zmq.XPUB)
    xpub.setsockopt(zmq.XPUB_WELCOME_MSG, b"hello")
    xpub.getsockopt(zmq.EVENTS)
    sub = world.socket(zmq.SUB)
    sub.subscribe(b"")
    sub.connect(address)
    assert world.quiet(sub, 150)
    assert world.receive(xpub) == [b"\x01"]
    assert world.receive(sub) == [b"hello"]


def test_who_came_and_left_between_two_calls(world: Any) -> None:
    """An XPUB hears of a subscriber that is gone again: of its subscription, then of its cancellation."""
    xpub, address = world.bound(zmq.XPUB)
    xpub.getsockopt(zmq.EVENTS)
    sub = world.connected(zmq.SUB, address)
    sub.subscribe(b"a")
    world.settle(LONG)
    assert xpub.getsockopt(zmq.TOPICS_COUNT) == 0
    sub.close()
    world.settle(LONG)
    assert [world.receive(xpub) for _ in range(2)] == [[b"\x01a"], [b"\x00a"]]


@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.ROUTER])
def test_a_bound_prober_introduces_itself_late(world: Any, kind: int) -> None:
    """With PROBE_ROUTER a bound socket introduces itself when its owner makes a call."""
    prober, address = world.bound(kind, probe_router=1)
    prober.getsockopt(zmq.EVENTS)
    router = world.connected(zmq.ROUTER, address)
    assert world.quiet(router, 150)
    prober.getsockopt(zmq.EVENTS)
    assert world.receive(router)[1:] == [b""]


def test_messages_wait_outside(world: Any) -> None:
    """What peers have sent, one of which has left, waits for the first `recv`, in the order in which they came."""
    pull, address = world.bound(zmq.PULL)
    gone = world.connected(zmq.PUSH, address)
    gone.send(b"1")
    world.settle(LONG)
    gone.close(1_000)
    world.settle(LONG)
    push = world.connected(zmq.PUSH, address)
    push.send(b"2")
    world.settle(LONG)
    assert [pull.recv(NOW), pull.recv(NOW)] == [b"1", b"2"]


def test_immediate_sub_subscribes_late(world: Any) -> None:
    """A SUB that connects with IMMEDIATE subscribes when its owner makes a call after the connection was made."""
    pub, address = world.bound(zmq.PUB)
    sub = world.socket(zmq.SUB, immediate=1)
    sub.subscribe(b"")
    sub.connect(address)
    world.settle(LONG)
    pub.send(b"1")
    assert world.quiet(sub)
    world.settle(LONG)
    pub.send(b"2")
    assert world.receive(sub) == [b"2"]


def test_subscriptions_after_a_restart_wait_for_a_call(world: Any) -> None:
    """A SUB that makes no call does not subscribe anew with a publisher that has come back; nor does `subscribe`."""
    pub, address = world.bound(zmq.PUB)
    sub = world.connected(zmq.SUB, address)
    sub.subscribe(b"a")
    world.settle(LONG)
    pub.close()
    world.settle(LONG)
    pub = world.rebind(zmq.PUB, address)
    world.settle(LONG)
    sub.subscribe(b"b")
    world.settle(LONG)
    for text in (b"a1", b"b1"):
        pub.send(text)
    assert world.quiet(sub)
    world.settle(LONG)
    for text in (b"a2", b"b2"):
        pub.send(text)
    assert [world.receive(sub) for _ in range(2)] == [[b"a2"], [b"b2"]]


def test_what_an_xsub_sends_after_a_restart_comes_behind_its_subscriptions(world: Any) -> None:
    """`send` is a call: it subscribes anew before it sends."""
    xpub, address = world.bound(zmq.XPUB)
    xsub = world.connected(zmq.XSUB, address)
    xsub.send(b"\x01a")
    assert world.receive(xpub) == [b"\x01a"]
    xpub.close()
    world.settle(LONG)
    xpub = world.rebind(zmq.XPUB, address)
    world.settle(LONG)
    xsub.send(b"up")
    assert [world.receive(xpub) for _ in range(2)] == [[b"\x01a"], [b"up"]]


def test_second_pair_within_a_process(world: Any) -> None:
    """It may send until the bound socket has turned it away; what it has sent is lost."""
    bound = world.socket(zmq.PAIR)
    bound.bind("inproc://pair")
    first = world.connected(zmq.PAIR, "inproc://pair")
    second = world.connected(zmq.PAIR, "inproc://pair")
    assert second.poll(0, zmq.POLLOUT) == zmq.POLLOUT
    second.send(b"lost", NOW)
    assert world.quiet(bound)
    assert second.poll(0, zmq.POLLOUT) == 0
    first.send(b"heard")
    assert world.receive(bound) == [b"heard"]


def rings(socket: Any) -> bool:
    """Whether its descriptor is readable."""
    return bool(zmq.select([socket.fd], [], [], 0)[0])


def test_the_descriptor_rings_for_a_connection(world: Any) -> None:
    """FD is readable when somebody has connected, within a process as well; not by `connect` itself there."""
    bound, address = world.bound(zmq.PULL)
    bound.bind("inproc://bell")
    bound.getsockopt(zmq.EVENTS)
    assert not rings(bound)
    remote = world.connected(zmq.PUSH, address)
    assert rings(remote)
    world.settle(LONG)
    assert rings(bound)
    bound.getsockopt(zmq.EVENTS)
    local = world.connected(zmq.PUSH, "inproc://bell")
    assert [rings(local), rings(bound)] == [False, True]
    bound.getsockopt(zmq.EVENTS)
    bound.unbind(address)
    world.settle(LONG)
    assert rings(bound)


@pytest.mark.parametrize(("asked", "runs", "expected"), [(1, 1, [b"a"]), (1, 0, []), (0, 1, [])])
def test_a_running_loop_takes_connections_in(world: Any, asked: int, runs: int, expected: list[bytes]) -> None:
    """A bound SUB of `zmq.asyncio` subscribes while its loop runs, although nobody receives; not while the loop is
    blocked, and not before the socket was first waited for (pyzmq looks at its descriptor from then on)."""

    async def play() -> list[bytes]:
        context = zmq.asyncio.Context()
        sub, pub = context.socket(zmq.SUB), world.socket(zmq.PUB)
        sub.linger = 0
        sub.subscribe(b"")
        port = sub.bind_to_random_port("tcp://127.0.0.1")
        if asked:
            await sub.poll(50)
        pub.connect(f"tcp://127.0.0.1:{port}")
        if runs:
            await asyncio.sleep(LONG)
        else:
            time.sleep(LONG)  # noqa: ASYNC251 - this is what it is about
        pub.send(b"a")
        try:
            return [await sub.recv()] if await sub.poll(300) else []
        finally:
            context.destroy(linger=0)

    assert asyncio.run(play()) == expected
