"""Sockets that listen, and how they are addressed: one body on the real operating system and in the simulation."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.sim


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


def test_accept_times_out_and_is_woken_by_a_shutdown(world: object, in_thread: Callable[..., threading.Thread]) -> None:
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
