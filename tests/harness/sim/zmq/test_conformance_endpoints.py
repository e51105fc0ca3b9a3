"""Addresses: what can be bound and connected, and what is said of the rest."""

from __future__ import annotations

import socket as plain
from pathlib import Path
from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]

BAD_BINDS = {
    "tcp://127.0.0.1": "EINVAL",
    "tcp://127.0.0.1:": "EINVAL",
    "tcp://127.0.0.1:port": "EINVAL",
    "tcp://nosuch.invalid:5555": "errno 19",
    "tcp://eth99:5555": "errno 19",
    "tcp://[::1]:*": "errno 19",
    "tcp://8.8.8.8:5555": "EADDRNOTAVAIL",
    "foo://x": "EPROTONOSUPPORT",
    "pgm://x": "EPROTONOSUPPORT",
    "udp://127.0.0.1:5555": "ENOCOMPATPROTO",
    "inproc://": "EINVAL",
    "tcp:/x": "EINVAL",
    "": "EINVAL",
}
BAD_CONNECTS = {
    "tcp://127.0.0.1": "EINVAL",
    "tcp://127.0.0.1:*": "EINVAL",
    "tcp://*:5555": "EINVAL",
    "tcp://bad host:33": "EINVAL",
    "foo://x": "EPROTONOSUPPORT",
    "udp://127.0.0.1:5555": "ENOCOMPATPROTO",
}


@pytest.mark.parametrize("address", BAD_BINDS)
def test_what_cannot_be_bound(world: Any, address: str) -> None:
    """Each wrong address is refused with its own error, and leaves LAST_ENDPOINT as it was."""
    socket = world.socket(zmq.REP)
    assert world.outcome(lambda: socket.bind(address)) == BAD_BINDS[address]
    assert socket.last_endpoint == b""


@pytest.mark.parametrize("address", BAD_CONNECTS)
def test_what_cannot_be_connected(world: Any, address: str) -> None:
    """Each wrong address is refused with its own error."""
    socket = world.socket(zmq.REQ)
    assert world.outcome(lambda: socket.connect(address)) == BAD_CONNECTS[address]
    assert socket.last_endpoint == b""


@pytest.mark.parametrize(
    "address", ["tcp://nosuch.invalid:5555", "tcp://[::1]:44", "tcp://localhost:1", "inproc://nobody"]
)
def test_what_can_be_connected(world: Any, address: str) -> None:
    """Names are not resolved when connecting; an address that leads nowhere is taken, and given back as it was."""
    socket = world.socket(zmq.REQ)
    socket.connect(address)
    assert socket.last_endpoint == address.encode()
    socket.disconnect(address)
    assert world.outcome(lambda: socket.disconnect(address)) == "errno 2"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("tcp://*:*", "0.0.0.0"),
        ("tcp://127.0.0.1:0", "127.0.0.1"),
        ("tcp://localhost:*", "127.0.0.1"),
        ("tcp://lo:*", "127.0.0.1"),
    ],
)
def test_wildcards(world: Any, address: str, host: str) -> None:
    """A wildcard takes a free port, which LAST_ENDPOINT tells."""
    socket = world.socket(zmq.REP)
    socket.bind(address)
    start, _, port = socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")
    assert start == f"tcp://{host}"
    assert 1024 <= int(port) < 65_536


def test_address_in_use(world: Any) -> None:
    """A port is bound once, on any address of it; another address of the loopback network is another matter."""
    first, address = world.bound(zmq.REP)
    port = address.rpartition(":")[2]
    second = world.socket(zmq.REP)
    for taken in (address, f"tcp://localhost:{port}", f"tcp://*:{port}"):
        assert world.outcome(lambda name=taken: second.bind(name)) == "EADDRINUSE"
    second.bind(f"tcp://127.0.0.2:{port}")
    first.bind("inproc://taken")
    assert world.outcome(lambda: second.bind("inproc://taken")) == "EADDRINUSE"


def test_error_names_the_address(world: Any) -> None:
    """pyzmq's message names the address."""
    first, address = world.bound(zmq.REP)
    with pytest.raises(zmq.ZMQError, match=rf"Address already in use \(addr='{address}'\)"):
        world.socket(zmq.REP).bind(address)
    first.close()


def test_unbind(world: Any) -> None:
    """After unbind the port can be bound again, peers reconnect there, and what they have queued arrives."""
    rep, address = world.bound(zmq.REP)
    req = world.connected(zmq.REQ, address)
    req.send(b"1")
    world.receive(rep)
    rep.send(b"a")
    world.receive(req)
    rep.unbind(address)
    world.settle()
    rep.poll(0)
    world.settle()
    req.send(b"2")
    assert world.quiet(rep)
    other = world.rebind(zmq.REP, address)
    assert world.receive(other) == [b"2"]
    assert world.outcome(lambda: rep.unbind(address)) == "errno 2"


def test_binding_is_a_context_manager(world: Any) -> None:
    """``with socket.bind(...)`` unbinds, ``with socket.connect(...)`` disconnects."""
    rep = world.socket(zmq.REP)
    with rep.bind("tcp://127.0.0.1:*"):
        address = rep.last_endpoint.decode()
        req = world.socket(zmq.REQ)
        with req.connect(address):
            req.send(b"q")
            assert world.receive(rep) == [b"q"]
        assert world.outcome(lambda: req.disconnect(address)) == "errno 2"
    assert world.outcome(lambda: rep.unbind(address)) == "errno 2"


def test_ipc(world: Any, tmp_path: Path) -> None:
    """An IPC socket has a file at its path, talks, and a second bind takes the path over without a word."""
    path = tmp_path / "s"
    rep = world.socket(zmq.REP)
    rep.bind(f"ipc://{path}")
    assert path.exists()
    req = world.connected(zmq.REQ, f"ipc://{path}")
    req.send(b"q")
    assert world.receive(rep) == [b"q"]
    assert world.outcome(lambda: world.socket(zmq.REP).bind(f"ipc://{path}").__class__.__name__) == "_SocketContext"


@pytest.mark.parametrize("end", ["close", "unbind"])
def test_the_file_of_an_ipc_address_stays(world: Any, tmp_path: Path, end: str) -> None:
    """libzmq leaves the file behind when it listens no longer, and takes it over when it binds there again."""
    path = tmp_path / "s"
    rep = world.socket(zmq.REP)
    rep.bind(f"ipc://{path}")
    if end == "close":
        rep.close()
    else:
        rep.unbind(f"ipc://{path}")
    world.settle()
    assert path.exists()
    again = world.socket(zmq.PULL)
    again.bind(f"ipc://{path}")
    push = world.connected(zmq.PUSH, f"ipc://{path}")
    push.send(b"x")
    assert world.receive(again) == [b"x"]


def _has_ipv6() -> bool:
    with plain.socket(plain.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


IPV6 = {
    "tcp://*": ("[::]", "127.0.0.1 6:127.0.0.1 6:[::1]"),
    "tcp://[::]": ("[::]", "127.0.0.1 6:127.0.0.1 6:[::1]"),
    "tcp://127.0.0.1": ("[::ffff:127.0.0.1]", "127.0.0.1 6:127.0.0.1"),
    "tcp://localhost": ("[::ffff:127.0.0.1]", "127.0.0.1 6:127.0.0.1"),
    "tcp://[::1]": ("[::1]", "6:[::1]"),
    "tcp://::1": ("[::1]", "6:[::1]"),
}
"""What is bound with the option IPV6: what LAST_ENDPOINT says, and who can connect, with the option (``6:``) or not."""


@pytest.mark.skipif(not _has_ipv6(), reason="the real arm needs ::1")
@pytest.mark.parametrize("address", IPV6)
def test_ipv6(world: Any, address: str) -> None:
    """With IPV6 an address listens to both families, or to its own, and its name shows which."""
    pull = world.socket(zmq.PULL, ipv6=1)
    pull.bind(f"{address}:*")
    name, _, port = pull.last_endpoint.decode().removeprefix("tcp://").rpartition(":")
    reached = []
    for option, host in [(0, "127.0.0.1"), (0, "[::1]"), (1, "127.0.0.1"), (1, "[::1]")]:
        push = world.connected(zmq.PUSH, f"tcp://{host}:{port}", ipv6=option)
        push.send(f"{'6:' * option}{host}".encode())
        if world.readable(pull, 150):
            reached.append(pull.recv().decode())
        push.close()

    assert (name, " ".join(reached)) == IPV6[address]


def test_metadata(world: Any) -> None:
    """What METADATA gives comes with each frame of a peer over TCP; the first value of a name stands."""
    pull, address = world.bound(zmq.PULL)
    push = world.socket(zmq.PUSH)
    for told in (b"X-shift:night", b"X-shift:day", b"X-empty-not:a:b"):
        push.setsockopt(zmq.METADATA, told)
    assert [
        world.outcome(lambda told=told: push.setsockopt(zmq.METADATA, told))
        for told in (b"shift:night", b"X-shift", b"X-shift:", b":x", b"")
    ] == ["EINVAL"] * 5
    assert world.outcome(lambda: push.getsockopt(zmq.METADATA)) == "EINVAL"
    push.connect(address)
    push.send(b"x")
    assert world.readable(pull)
    frame = pull.recv(copy=False)

    assert [frame[name] for name in ("X-shift", "X-empty-not", "Socket-Type")] == ["night", "a:b", "PUSH"]
    for missing in ("X-other", "Identity"):
        with pytest.raises(zmq.ZMQError, match="Invalid argument"):
            frame.get(missing)


@pytest.mark.parametrize(("kind", "identity"), [(zmq.DEALER, ""), (zmq.REQ, ""), (zmq.ROUTER, "")])
def test_who_tells_an_identity(world: Any, kind: int, identity: str) -> None:
    """Peers that are addressed by it tell their identity, also when it is none."""
    server, address = world.bound(zmq.REP if kind == zmq.REQ else zmq.DEALER)
    client = world.connected(kind, address)
    if kind == zmq.ROUTER:
        server.send(b"hello")
        client.send_multipart([world.receive(client)[0], b"x"])
    else:
        client.send(b"x")
    assert world.readable(server)

    assert server.recv(copy=False)["Identity"] == identity


def test_ipc_without_a_folder(world: Any, tmp_path: Path) -> None:
    """A path in a folder that does not exist is refused, and the message says so."""
    with pytest.raises(zmq.ZMQError, match="No such file or directory for ipc path"):
        world.socket(zmq.REP).bind(f"ipc://{tmp_path}/nosuch/s")


def test_random_ports(world: Any) -> None:
    """``bind_to_random_port`` takes a port of the range asked for, and gives up when there is none."""
    socket = world.socket(zmq.REP)
    assert 20_000 <= socket.bind_to_random_port("tcp://127.0.0.1", 20_000, 30_000) < 30_000
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    with pytest.raises(zmq.ZMQBindError):
        world.socket(zmq.REP).bind_to_random_port("tcp://127.0.0.1", port, port + 1, max_tries=3)


def test_types_that_do_not_fit(world: Any) -> None:
    """Types that do not talk to each other connect and then part; no message passes, and nothing is raised."""
    pub, req = world.pair(zmq.PUB, zmq.REQ, sndtimeo=100)
    world.outcome(lambda: req.send(b"x", zmq.NOBLOCK))
    assert world.quiet(req)
    assert world.outcome(lambda: pub.send(b"y")) is None


def test_several_addresses(world: Any) -> None:
    """One socket may be bound and connected many times, over all transports."""
    pull = world.socket(zmq.PULL)
    pull.bind("tcp://127.0.0.1:*")
    first = pull.last_endpoint.decode()
    pull.bind("inproc://many")
    push = world.socket(zmq.PUSH)
    push.bind("tcp://127.0.0.1:*")
    pull.connect(push.last_endpoint.decode())
    world.settle()
    for address in (first, "inproc://many"):
        other = world.connected(zmq.PUSH, address)
        other.send(address.encode())
        assert world.receive(pull) == [address.encode()]
    push.send(b"connected")
    assert world.receive(pull) == [b"connected"]


def test_disconnected_peer_gets_nothing(world: Any) -> None:
    """After disconnect nothing arrives any more, and a socket that has no other peer must wait."""
    pull, address = world.bound(zmq.PULL)
    push = world.connected(zmq.PUSH, address)
    push.send(b"1")
    assert world.receive(pull) == [b"1"]
    push.disconnect(address)
    assert world.outcome(lambda: push.send(b"2", zmq.NOBLOCK)) == "EAGAIN"


def test_no_reconnection(world: Any) -> None:
    """With RECONNECT_IVL of -1 a lost address is forgotten: no more sending, nothing to disconnect."""
    pull, address = world.bound(zmq.PULL)
    push = world.connected(zmq.PUSH, address, reconnect_ivl=-1)
    push.send(b"1")
    world.receive(pull)
    pull.close()
    world.settle()
    push.poll(0, zmq.POLLOUT)
    world.settle()
    assert world.outcome(lambda: push.send(b"2", zmq.NOBLOCK)) == "EAGAIN"
    assert world.outcome(lambda: push.disconnect(address)) == "errno 2"


def test_immediate_queues_only_for_the_connected(world: Any) -> None:
    """With IMMEDIATE a message goes only where somebody is; when he leaves, nothing can be sent."""
    pull, address = world.bound(zmq.PULL)
    push = world.connected(zmq.PUSH, address, immediate=1, sndtimeo=2_000)
    push.send(b"1")
    assert world.receive(pull) == [b"1"]
    pull.close()
    world.settle()
    push.poll(0, zmq.POLLOUT)
    world.settle()
    assert world.outcome(lambda: push.send(b"2", zmq.NOBLOCK)) == "EAGAIN"
    pull = world.rebind(zmq.PULL, address)
    push.send(b"3")
    assert world.receive(pull) == [b"3"]
