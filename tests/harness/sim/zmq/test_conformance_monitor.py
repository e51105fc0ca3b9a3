"""Socket events: what is told, in which order."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]


def told(monitor: Any, within: int = 80, most: int = 40) -> list[str]:
    """Names of the events that have been told."""
    names: list[str] = []
    while len(names) < most and monitor.poll(within):
        names.append(str(zmq.Event(recv_monitor_message(monitor)["event"]).name))
    return names


def monitored(world: Any, kind: int, **options: Any) -> tuple[Any, Any]:
    """A socket and its monitor."""
    socket = world.socket(kind, **options)
    return socket, socket.get_monitor_socket()


def test_both_sides_of_a_connection(world: Any) -> None:
    """Connecting, accepting, shaking hands: each side tells its own three events."""
    rep, at_rep = monitored(world, zmq.REP)
    rep.bind("tcp://127.0.0.1:*")
    req, at_req = monitored(world, zmq.REQ)
    req.connect(rep.last_endpoint.decode())
    assert told(at_req) == ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]
    assert told(at_rep) == ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED"]


@pytest.mark.parametrize(
    ("server", "client", "at_server", "at_client"),
    [
        (10, -1, ["DISCONNECTED", "ACCEPTED"], ["HANDSHAKE_SUCCEEDED", "DISCONNECTED", "CONNECT_RETRIED"]),
        (-1, 10, ["HANDSHAKE_SUCCEEDED", "DISCONNECTED"], ["DISCONNECTED"]),
        (10, 10, ["DISCONNECTED"], ["DISCONNECTED"]),
    ],
    ids=["server", "client", "both"],
)
def test_a_limit_below_the_handshake(
    world: Any, server: int, client: int, at_server: list[str], at_client: list[str]
) -> None:
    """MAXMSGSIZE counts for READY: who cannot take it leaves, a connecting side for good; the other's handshake has
    succeeded, and what it sent is lost."""
    pull, at_pull = monitored(world, zmq.PULL, maxmsgsize=server)
    pull.bind("tcp://127.0.0.1:*")
    push, at_push = monitored(world, zmq.PUSH, maxmsgsize=client)
    push.connect(pull.last_endpoint.decode())
    push.send(b"lost")
    world.settle(0.2)
    for_good = client == 10
    for monitor, begin, expected in (
        (at_pull, ["LISTENING", "ACCEPTED"], at_server),
        (at_push, ["CONNECT_DELAYED", "CONNECTED"], at_client),
    ):
        wanted = [*begin, *expected]
        assert told(monitor, 80, 40 if for_good else len(wanted)) == wanted
    assert not pull.poll(0)


def test_what_was_sent_to_who_cannot_read_ready_is_gone(world: Any) -> None:
    """Nothing of it lingers: a context ends although its message never arrived."""
    context = world.new_context()
    pull = world.socket(zmq.PULL, maxmsgsize=10)
    pull.bind("tcp://127.0.0.1:*")
    push = world.socket(zmq.PUSH, context)
    push.linger = 5_000
    push.connect(pull.last_endpoint.decode())
    monitor = push.get_monitor_socket(int(zmq.EVENT_DISCONNECTED))
    push.send(b"lost")
    assert monitor.poll(5_000)
    push.disable_monitor()
    monitor.close(0)
    begin = time.monotonic()
    push.close()
    context.term()
    assert time.monotonic() - begin < 2


def test_values_and_endpoints(world: Any) -> None:
    """Events carry a descriptor, an errno or an interval, and the address of the listener."""
    rep, at_rep = monitored(world, zmq.REP)
    rep.bind("tcp://127.0.0.1:*")
    address = rep.last_endpoint
    req, at_req = monitored(world, zmq.REQ)
    req.connect(address.decode())
    world.settle()
    listening, delayed = recv_monitor_message(at_rep), recv_monitor_message(at_req)
    assert (listening["endpoint"], delayed["endpoint"], delayed["value"]) == (address, address, 115)
    assert listening["value"] > 2


def test_peer_goes_and_comes_back(world: Any) -> None:
    """When its peer closes, a client is disconnected, then tries again and again until it is back."""
    rep, address = world.bound(zmq.REP)
    req, at_req = monitored(world, zmq.REQ)
    req.connect(address)
    told(at_req)
    rep.close()
    world.settle(0.2)
    events = told(at_req, 0)
    assert events[:5] == ["DISCONNECTED", "CONNECT_RETRIED", "CONNECT_DELAYED", "CLOSED", "CONNECT_RETRIED"]
    assert set(events[1:]) == {"CONNECT_RETRIED", "CONNECT_DELAYED", "CLOSED"}
    rep = world.rebind(zmq.REP, address)
    assert told(at_req, 300)[-3:] == ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]
    rep.close()


def test_client_goes(world: Any) -> None:
    """A server is told that its client has gone; closing it tells of its listener, and that the monitor stops."""
    rep, at_rep = monitored(world, zmq.REP)
    rep.bind("tcp://127.0.0.1:*")
    req = world.connected(zmq.REQ, rep.last_endpoint.decode())
    told(at_rep)
    req.close()
    assert told(at_rep) == ["DISCONNECTED"]
    rep.close()
    assert told(at_rep) == ["CLOSED", "MONITOR_STOPPED"]


def test_bind_failed(world: Any) -> None:
    """A port that is in use is told as closed and failed."""
    _, address = world.bound(zmq.REP)
    other, monitor = monitored(world, zmq.REP)
    assert world.outcome(lambda: other.bind(address)) == "EADDRINUSE"
    assert told(monitor) == ["CLOSED", "BIND_FAILED"]


def test_only_what_was_asked_for(world: Any) -> None:
    """A mask leaves the other events out."""
    rep, address = world.bound(zmq.REP)
    req = world.socket(zmq.REQ)
    monitor = req.get_monitor_socket(int(zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED))
    req.connect(address)
    world.settle()
    rep.close()
    assert told(monitor) == ["CONNECTED", "DISCONNECTED"]


def test_disabled(world: Any) -> None:
    """After disable_monitor nothing is told but that it stopped."""
    req, monitor = monitored(world, zmq.REQ)
    req.disable_monitor()
    assert told(monitor) == ["MONITOR_STOPPED"]
    req.connect("tcp://127.0.0.1:9")
    assert told(monitor) == []
    assert not monitor.closed


def test_types_that_do_not_fit(world: Any) -> None:
    """Types that do not fit are disconnected in the handshake, and the client does not try again."""
    pub, at_pub = monitored(world, zmq.PUB)
    pub.bind("tcp://127.0.0.1:*")
    req, at_req = monitored(world, zmq.REQ)
    req.connect(pub.last_endpoint.decode())
    assert told(at_req, 150) == ["CONNECT_DELAYED", "CONNECTED", "DISCONNECTED"]
    assert told(at_pub) == ["LISTENING", "ACCEPTED", "DISCONNECTED"]


def test_malformed_answer(world: Any) -> None:
    """A malformed answer disconnects a REQ for good."""
    router, address = world.bound(zmq.ROUTER)
    req, monitor = monitored(world, zmq.REQ)
    req.connect(address)
    req.send(b"q")
    peer, *_ = world.receive(router)
    router.send_multipart([peer, b"no delimiter"])
    assert told(monitor, 150) == ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED", "DISCONNECTED"]


def test_no_reconnection(world: Any) -> None:
    """With RECONNECT_IVL 0 a refused or lost connection is the last one."""
    rep, address = world.bound(zmq.REP)
    req, monitor = monitored(world, zmq.REQ, reconnect_ivl=0)
    req.connect(address)
    told(monitor)
    rep.close()
    assert told(monitor, 150) == ["DISCONNECTED"]
    other, refused = monitored(world, zmq.REQ, reconnect_ivl=0)
    other.connect(address)
    assert told(refused, 150) == ["CONNECT_DELAYED", "CLOSED"]


def test_backing_off(world: Any) -> None:
    """With RECONNECT_IVL_MAX the intervals double up to it."""
    address = world.nobody()
    req, monitor = monitored(world, zmq.REQ, reconnect_ivl=10, reconnect_ivl_max=50)
    req.connect(address)
    intervals: list[int] = []
    while len(intervals) < 5:
        assert world.readable(monitor)
        event = recv_monitor_message(monitor)
        if event["event"] == zmq.EVENT_CONNECT_RETRIED:
            intervals.append(int(event["value"]))
    assert intervals == [10, 20, 40, 50, 50]


def test_second_pair_and_zombies(world: Any) -> None:
    """A second PAIR peer shakes hands like the first; nothing tells it that it is not heard."""
    pair, at_pair = monitored(world, zmq.PAIR)
    pair.bind("tcp://127.0.0.1:*")
    address = pair.last_endpoint.decode()
    first = world.connected(zmq.PAIR, address)
    world.stir(pair)
    second, at_second = monitored(world, zmq.PAIR)
    second.connect(address)
    assert told(at_second, 150) == ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]
    assert told(at_pair) == ["LISTENING", *["ACCEPTED", "HANDSHAKE_SUCCEEDED"] * 2]
    first.close()


def test_events_before_somebody_listens_are_kept(world: Any) -> None:
    """What the I/O thread tells waits for somebody who listens."""
    req = world.socket(zmq.REQ)
    req.monitor("inproc://kept", int(zmq.EVENT_CONNECT_DELAYED))
    req.connect("tcp://127.0.0.1:9")
    world.settle()
    monitor = world.socket(zmq.PAIR)
    monitor.connect("inproc://kept")
    assert told(monitor, most=1) == ["CONNECT_DELAYED"]


def test_events_that_are_no_mask_are_refused(world: Any) -> None:
    """Beyond 16 bits there is no event of this version."""
    rep = world.socket(zmq.REP)
    assert world.outcome(lambda: rep.monitor("inproc://mask", 0x10000)) == "EINVAL"
    assert world.outcome(lambda: rep.monitor("inproc://mask", -3)) == "EINVAL"
