"""Stream sockets: one body on the real operating system and in the simulation."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.sim

Pair = tuple[socket.socket, socket.socket]


def in_thread(action: Callable[[], Any], seconds: float = 0.05) -> threading.Thread:
    """Do something after a while, in a thread."""

    def run() -> None:
        time.sleep(seconds)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest, world: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A client and the server's end of its connection."""
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname(), timeout=10)
    else:
        path = str(tmp_path_factory.mktemp("u") / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(10)
        client.connect(path)
    server, _ = listener.accept()
    server.settimeout(10)
    listener.close()
    yield client, server
    client.close()
    server.close()


def test_bytes_both_ways(pair: Pair) -> None:
    """What one side sends the other receives, in order."""
    client, server = pair
    client.sendall(b"ping")
    assert server.recv(100) == b"ping"
    server.sendall(b"po")
    server.sendall(b"ng")
    assert client.recv(4, socket.MSG_WAITALL) == b"pong"


def test_peek_leaves_what_it_saw(pair: Pair) -> None:
    """MSG_PEEK, recv_into."""
    client, server = pair
    client.sendall(b"abc")
    assert server.recv(2, socket.MSG_PEEK) == b"ab"
    buffer = bytearray(10)
    assert server.recv_into(buffer) == 3
    assert buffer[:3] == b"abc"


def test_the_end_comes_after_the_bytes(pair: Pair) -> None:
    """A close is the end for the other side, when it has read everything."""
    client, server = pair
    client.sendall(b"last")
    client.close()
    assert server.recv(100) == b"last"
    assert server.recv(100) == b""
    assert server.recv(100) == b""


def test_half_close(pair: Pair) -> None:
    """SHUT_WR: the other side reads the end and can still answer; sending is EPIPE."""
    client, server = pair
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b"question"
    assert server.recv(100) == b""
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_closing_with_unread_bytes_resets(pair: Pair) -> None:
    """Who closes without reading what has arrived resets the connection."""
    client, server = pair
    client.sendall(b"never read")
    select.select([server], [], [], 5)
    server.close()
    time.sleep(0.05)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert client.recv(100) == b""


def test_a_time_out_of_recv(pair: Pair) -> None:
    """TimeoutError after the seconds that were set; the socket goes on working."""
    client, server = pair
    server.settimeout(0.05)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        server.recv(10)
    assert time.monotonic() - begin > 0.0499
    client.sendall(b"late")
    server.settimeout(5)
    assert server.recv(10) == b"late"


def test_non_blocking(pair: Pair) -> None:
    """Nothing there is BlockingIOError; a full connection, too, and room comes when the other side reads."""
    client, server = pair
    server.setblocking(False)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(1)
    sent = 0
    while True:
        try:
            sent += client.send(b"z" * 65_536)
        except BlockingIOError:
            if not select.select([], [client], [], 0.1)[1]:
                break
    assert sent > 100_000
    assert select.select([server], [], [], 5)[0] == [server]
    received = 0
    while received < sent:
        select.select([server], [], [], 5)
        received += len(server.recv(1 << 20))
    assert select.select([], [client], [], 5)[1] == [client]


def test_sendall_waits_for_room(pair: Pair) -> None:
    """More than fits is sent as the other side reads."""
    client, server = pair
    size = 8_000_000
    got = bytearray()

    def read() -> None:
        while len(got) < size:
            got.extend(server.recv(1 << 20))

    thread = in_thread(read)
    client.sendall(b"q" * size)
    thread.join()
    assert len(got) == size


def test_sending_to_a_closed_side(pair: Pair) -> None:
    """It ends in EPIPE or ECONNRESET, at the latest at the second try."""
    client, server = pair
    server.close()
    time.sleep(0.05)
    caught: list[type[OSError]] = []
    for _ in range(3):
        try:
            client.send(b"x")
        except OSError as error:
            caught.append(type(error))
        time.sleep(0.05)
    assert caught[-1] is BrokenPipeError
    assert set(caught) <= {BrokenPipeError, ConnectionResetError}


def test_makefile(pair: Pair) -> None:
    """Buffered lines both ways; the socket stays open until its files are closed."""
    client, server = pair
    with client.makefile("rwb") as stream, server.makefile("r", encoding="utf-8") as lines:
        stream.write(b"one\ntwo\n")
        stream.flush()
        assert lines.readline() == "one\n"
        assert lines.readline() == "two\n"
        server.sendall(b"answer\n")
        client.close()
        assert stream.readline() == b"answer\n"
    assert client.fileno() == -1


def test_poll_masks(pair: Pair) -> None:
    """Masks of an open, a finished and a closed connection."""
    client, server = pair
    poll = select.poll()
    poll.register(server, select.POLLIN | select.POLLOUT)
    assert poll.poll(0) == [(server.fileno(), select.POLLOUT)]
    client.sendall(b"x")
    select.select([server], [], [], 5)
    assert poll.poll(0) == [(server.fileno(), select.POLLIN | select.POLLOUT)]
    server.recv(1)
    client.close()
    select.select([server], [], [], 5)
    [(_, mask)] = poll.poll(0)
    assert mask & select.POLLIN


def test_duplicates_and_detaching(pair: Pair) -> None:
    """A duplicate keeps the connection; a detached number can be adopted."""
    client, server = pair
    copy = client.dup()
    client.close()
    copy.sendall(b"still")
    assert server.recv(10) == b"still"
    again = socket.socket(fileno=copy.detach())
    assert again.family == server.family
    again.sendall(b"there")
    assert server.recv(10) == b"there"
    again.close()
    assert server.recv(10) == b""


# -- TCP


def test_nobody_listens(world: object) -> None:
    """ECONNREFUSED, blocking and not."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = reserved.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(address) in (errno.EINPROGRESS, errno.ECONNREFUSED)
            select.select([], [client], [], 5)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (errno.ECONNREFUSED, 0)


def test_connecting_without_blocking(world: object) -> None:
    """EINPROGRESS, then writable without error."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
        assert select.select([], [client], [], 5)[1] == [client]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert client.getpeername() == listener.getsockname()
        accepted, address = listener.accept()
        assert address == client.getsockname()
        accepted.close()


def test_a_taken_port(world: object) -> None:
    """EADDRINUSE for a port on which somebody listens, whatever SO_REUSEADDR says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for reuse in (0, 1):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                with pytest.raises(OSError, match="in use") as error:
                    other.bind(listener.getsockname())
                assert error.value.errno == errno.EADDRINUSE


def test_a_reserved_port(world: object) -> None:
    """A port that is bound with SO_REUSEADDR and not listened on can be listened on by another with it, nobody else."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        with socket.socket() as refused, pytest.raises(OSError, match="in use"):
            refused.bind(holder.getsockname())
        for _ in range(2):
            with socket.create_server(holder.getsockname()) as server:
                socket.create_connection(server.getsockname(), timeout=5).close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            assert free.getsockname()[1] != holder.getsockname()[1]


def test_wildcard_addresses_collide(world: object) -> None:
    """A listener on all addresses takes the port of each."""
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_accept_times_out_and_is_woken_by_a_shutdown(world: object) -> None:
    """TimeoutError, and EINVAL when another thread shuts the listener down: how an accept loop is ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.settimeout(None)
        thread = in_thread(lambda: listener.shutdown(socket.SHUT_RDWR))
        with pytest.raises(OSError, match="Invalid argument"):
            listener.accept()
        thread.join()


def test_a_listener_that_closes_resets_who_waits(world: object) -> None:
    """Connections that nobody had accepted are reset."""
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(listener.getsockname(), timeout=5) as client:
        listener.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_lingering_for_no_time_resets(world: object) -> None:
    """SO_LINGER with 0 seconds: a close is a reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=5)
        server, _ = listener.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server.settimeout(5)
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        server.close()


def test_unconnected_sockets(world: object) -> None:
    """ENOTCONN for what needs a connection."""
    with socket.socket() as lone:
        for call in (lone.getpeername, lambda: lone.recv(1), lambda: lone.shutdown(socket.SHUT_RDWR)):
            with pytest.raises(OSError, match="not connected"):
                call()
        assert lone.getsockname() == ("0.0.0.0", 0)


def test_ipv6_loopback(world: object) -> None:
    """``::1`` is another address than 127.0.0.1."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with socket.create_connection(("::1", port), timeout=5) as client:
            assert client.family == socket.AF_INET6
            assert client.getpeername()[:2] == ("::1", port)


def test_names(world: object) -> None:
    """localhost, numbers and wildcards resolve; what is no number is refused when only numbers are wanted."""
    found = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    assert found == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    assert ("127.0.0.1", 80) in [entry[4] for entry in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)]
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("localhost", 80, flags=socket.AI_NUMERICHOST)


# -- UNIX


def test_a_unix_address_is_a_file(world: object, tmp_path: Path) -> None:
    """Binding makes a file, twice is EADDRINUSE; the file outlives the socket, and then refuses; without it: ENOENT."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert Path(path).exists()
        listener.listen()
        with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="in use"):
            other.bind(path)
        assert listener.getsockname() == path
    assert Path(path).exists()
    for kind in (ConnectionRefusedError, FileNotFoundError):
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(kind):
            client.connect(path)
        Path(path).unlink(missing_ok=True)


def test_a_long_unix_path(world: object, tmp_path: Path) -> None:
    """108 bytes are too many."""
    with socket.socket(socket.AF_UNIX) as listener, pytest.raises(OSError, match="too long"):
        listener.bind("/tmp/" + "x" * 110)


def test_a_pair(world: object) -> None:
    """socketpair: connected, unnamed, knows the other process."""
    import os

    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        assert one.getsockname() == ""
        pid, _, _ = struct.unpack("3i", other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert pid == os.getpid()


def test_the_number_of_a_socket_is_read_and_written(world: object) -> None:
    """`os.write` sends everything, waiting for room; `os.read` waits for bytes, and gives none at the end."""
    ours, theirs = socket.socketpair()
    got = bytearray()

    def read() -> None:
        while data := os.read(theirs.fileno(), 65_536):
            got.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    assert os.write(ours.fileno(), b"x" * 1_000_000) == 1_000_000
    ours.close()
    reader.join(30)
    assert len(got) == 1_000_000
    theirs.close()


def test_the_number_of_a_non_blocking_socket(world: object) -> None:
    """`os.read` and `os.write` raise BlockingIOError instead of waiting."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        os.read(ours.fileno(), 1)
    written = os.write(ours.fileno(), b"x" * 10_000_000)
    assert 0 < written < 10_000_000
    while select.select([], [ours], [], 0.1)[1]:
        os.write(ours.fileno(), b"x" * 10_000_000)
    with pytest.raises(BlockingIOError):
        os.write(ours.fileno(), b"x" * 10_000_000)
    ours.close()
    theirs.close()
