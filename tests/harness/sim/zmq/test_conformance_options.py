"""Options: every value at first, every value accepted and refused, per type of socket."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import zmq
from zmq.constants import SocketOption, _OptType

from harness.sim.errors import NotSimulated

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]

KINDS = (
    "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB",
)  # fmt: skip
FENCED = {
    "CURVE_SERVER", "CURVE_PUBLICKEY", "CURVE_SECRETKEY", "CURVE_SERVERKEY", "PLAIN_SERVER", "PLAIN_USERNAME",
    "PLAIN_PASSWORD", "ZAP_DOMAIN", "SOCKS_PROXY", "BINDTODEVICE", "USE_FD", "RECONNECT_STOP", "INVERT_MATCHING",
    "ROUTER_RAW", "XPUB_MANUAL", "XPUB_MANUAL_LAST_VALUE", "TCP_ACCEPT_FILTER",
}  # fmt: skip
"""Options that mean something which is not simulated: `NotSimulated`, where libzmq takes them."""
ODD = {"FD", "EVENTS"}
INTEGERS = (-2, -1, 0, 1, 2, 100, 2**31 - 1)
TEXTS = (b"", b"x", b"\0x", b"y" * 255, b"y" * 256)


def defaults(arm: Any, kind: str) -> dict[str, Any]:
    """What each option of a new socket says."""
    socket = arm.context.socket(getattr(zmq, kind))
    found = {o.name: arm.outcome(lambda o=o: socket.get(o)) for o in SocketOption if o.name != "FD"}
    socket.close(0)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_values_at_first(arms: Any, kind: str) -> None:
    """A new socket of each type tells the same of every option, in both worlds, EINVAL included."""
    with arms("real") as real:
        expected = defaults(real, kind)
    with arms("sim") as sim:
        assert defaults(sim, kind) == expected


def accepted(arm: Any, kind: str) -> dict[str, list[Any]]:
    """What becomes of each value of each option: what can be read back then, or the error."""
    found: dict[str, list[Any]] = {}
    for option in SocketOption:
        if option.name in ODD:
            continue
        for value in TEXTS if option._opt_type == _OptType.bytes else INTEGERS:
            socket = arm.context.socket(getattr(zmq, kind))
            try:
                refused = arm.outcome(lambda s=socket, o=option, v=value: s.set(o, v))
                back = None if refused else arm.outcome(lambda s=socket, o=option: s.get(o))
            except NotSimulated:
                refused, back = "NotSimulated", None
            found.setdefault(option.name, []).append((value, refused, back))
            socket.close(0)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_values_accepted(arms: Any, kind: str) -> None:
    """Every value of every option is accepted or refused alike, and read back alike; what is fenced, says so."""
    with arms("real") as real:
        expected = accepted(real, kind)
    with arms("sim") as sim:
        got = accepted(sim, kind)
    different: dict[str, list[Any]] = {}
    for name, rows in expected.items():
        for row, mine in zip(rows, got[name], strict=True):
            if row != mine and not (name in FENCED and mine[1] == "NotSimulated"):
                different.setdefault(name, []).append((row, mine))
    assert different == {}


def test_types_of_values(world: Any) -> None:
    """Text is refused where bytes or numbers are wanted, with pyzmq's words."""
    socket = world.socket(zmq.DEALER)
    with pytest.raises(TypeError, match="unicode not allowed, use setsockopt_string"):
        socket.setsockopt(zmq.ROUTING_ID, "me")
    with pytest.raises(TypeError, match="expected bytes, got: 3"):
        socket.setsockopt(zmq.ROUTING_ID, 3)
    with pytest.raises(TypeError, match="expected int, got: b'x'"):
        socket.setsockopt(zmq.LINGER, b"x")
    with pytest.raises(OverflowError):
        socket.setsockopt(zmq.LINGER, 2**40)
    socket.setsockopt_string(zmq.ROUTING_ID, "me")
    assert (socket.getsockopt_string(zmq.ROUTING_ID), socket.routing_id, socket.IDENTITY) == ("me", b"me", b"me")


def test_options_as_attributes(world: Any) -> None:
    """Options are attributes in any case; an unknown one, or one that cannot be read, is an AttributeError."""
    socket = world.socket(zmq.SUB)
    socket.rcvtimeo = 5
    assert (socket.RCVTIMEO, socket.rcvtimeo, socket.getsockopt(zmq.RCVTIMEO)) == (5, 5, 5)
    socket.hwm = 7
    assert (socket.sndhwm, socket.rcvhwm, socket.get_hwm()) == (7, 7, 7)
    with pytest.raises(AttributeError, match="no such option: NOSUCH"):
        _ = socket.nosuch
    with pytest.raises(AttributeError):
        socket.nosuch = 3
    with pytest.raises(AttributeError, match="write-only"):
        _ = socket.tcp_accept_filter
    assert (socket.type, socket.getsockopt(zmq.TYPE)) == (zmq.SUB, int(zmq.SUB))


def test_unknown_options(world: Any) -> None:
    """A number that is no option is EINVAL either way."""
    socket = world.socket(zmq.REQ)
    assert world.outcome(lambda: socket.setsockopt(9999, 1)) == "EINVAL"
    assert world.outcome(lambda: socket.getsockopt(9999)) == "EINVAL"


def test_context_options(world: Any) -> None:
    """Options of a context, and those it passes on to its sockets."""
    context = world.new_context()
    names = ("IO_THREADS", "MAX_SOCKETS", "SOCKET_LIMIT", "IPV6", "BLOCKY", "MAX_MSGSZ")
    assert [context.get(getattr(zmq, name)) for name in names] == [1, 1023, 65_535, 0, 1, 2**31 - 1]
    assert world.outcome(lambda: context.set(zmq.IO_THREADS, -1)) == "EINVAL"
    assert world.outcome(lambda: context.set(9999, 1)) == "EINVAL"
    with pytest.raises(TypeError, match="expected int"):
        context.set(zmq.IO_THREADS, "1")
    context.io_threads = 2
    assert context.io_threads == 2
    context.linger = 0
    context.rcvtimeo = 9
    socket = context.socket(zmq.REQ)
    assert (socket.linger, socket.rcvtimeo) == (0, 9)


def test_context_without_blocky(world: Any) -> None:
    """With BLOCKY off, new sockets do not linger."""
    context = world.new_context()
    context.set(zmq.BLOCKY, 0)
    assert context.socket(zmq.REQ).linger == 0


def test_too_many_sockets(world: Any) -> None:
    """MAX_SOCKETS is a limit (EMFILE), fixed by the first socket; a closed one makes room again."""
    context = world.new_context()
    context.set(zmq.MAX_SOCKETS, 3)
    opened: list[Any] = []
    with contextlib.suppress(zmq.ZMQError):
        while len(opened) < 10:
            opened.append(context.socket(zmq.PAIR))
    assert len(opened) == 3
    assert world.outcome(lambda: context.socket(zmq.PAIR)) == "errno 24"
    opened.pop().close(0)
    world.settle()
    assert world.outcome(lambda: context.socket(zmq.PAIR).type) == zmq.PAIR


def test_maxmsgsize(world: Any) -> None:
    """A message above the receiver's limit ends the connection; what comes after it in a new one is received."""
    pull, address = world.bound(zmq.PULL, maxmsgsize=100)
    push = world.connected(zmq.PUSH, address)
    push.send(b"a" * 100)
    assert world.receive(pull) == [b"a" * 100]
    push.send(b"x" * 101)
    world.settle(0.2)
    push.send(b"b")
    assert world.receive(pull) == [b"b"]


def test_high_water_marks_can_be_changed_later(world: Any) -> None:
    """SNDHWM set after connecting counts for the pipes that are there."""
    push = world.socket(zmq.PUSH, sndhwm=1)
    push.connect(world.nobody())
    push.send(b"1", zmq.NOBLOCK)
    assert world.outcome(lambda: push.send(b"2", zmq.NOBLOCK)) == "EAGAIN"
    push.sndhwm = 3
    assert push.getsockopt(zmq.SNDHWM) == 3
