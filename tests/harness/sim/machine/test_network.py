"""Latency, partitions, pauses and full queues between processes: the fabric's links under stream sockets."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from harness.sim.errors import Deadlock, NotSimulated
from harness.sim.world import World

pytestmark = pytest.mark.sim

ECHO = """
import socket
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""


@pytest.fixture
def echo(sim: World) -> Iterator[tuple[World, subprocess.Popen[str], int]]:
    """A process that sends back what it gets, and its port."""
    sim.machine.programs.naming = lambda argv, env: "echo"
    with subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield sim, child, int(child.stdout.readline())
        child.kill()


def test_latency(echo: tuple[World, subprocess.Popen[str], int]) -> None:
    """A round trip takes the latency of both links."""
    sim, _, port = echo
    with socket.create_connection(("127.0.0.1", port)) as client:
        sim.fabric.set_latency("harness", "echo", 0.25)
        sim.fabric.set_latency("echo", "harness", 0.5)
        begin = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert round(time.monotonic() - begin, 6) == 0.75


def test_bytes_wait_for_the_end_of_a_partition(echo: tuple[World, subprocess.Popen[str], int]) -> None:
    """What was sent into a partition arrives after it, whole and in order; connections live on."""
    sim, _, port = echo
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        sim.fabric.partition("harness", "echo")
        client.sendall(b"first ")
        client.sendall(b"second")
        with pytest.raises(TimeoutError):
            client.recv(100)
        sim.fabric.heal()
        assert client.recv(12, socket.MSG_WAITALL) == b"first second"


def test_connecting_through_a_partition(echo: tuple[World, subprocess.Popen[str], int]) -> None:
    """A connection cannot be made, neither is it refused; later it can."""
    sim, _, port = echo
    sim.fabric.partition("harness", "echo")
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=3)
    begin = time.monotonic()
    with socket.socket() as client, pytest.raises(TimeoutError, match="timed out"):
        client.connect(("127.0.0.1", port))
    assert 126 < time.monotonic() - begin < 128
    sim.fabric.heal()
    socket.create_connection(("127.0.0.1", port), timeout=3).close()


def test_a_paused_process_accepts_connections_and_answers_nothing(
    echo: tuple[World, subprocess.Popen[str], int],
) -> None:
    """SIGSTOP: the kernel goes on accepting; the answer comes after SIGCONT."""
    _, child, port = echo
    os.kill(child.pid, signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
        client.sendall(b"x")
        with pytest.raises(TimeoutError):
            client.recv(1)
        os.kill(child.pid, signal.SIGCONT)
        assert client.recv(1) == b"x"


def test_a_killed_process_is_the_end_of_its_connections(echo: tuple[World, subprocess.Popen[str], int]) -> None:
    """Its peers read the end, or a reset when it had left something unread; its port refuses."""
    _, child, port = echo
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        child.kill()
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_full_queue_makes_connections_wait(sim: World) -> None:
    """A listener that accepts nothing takes its backlog; the next one is tried again after a second."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        address = listener.getsockname()
        waiting = [socket.create_connection(address, timeout=5) for _ in range(2)]
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.5)
        late = socket.socket()
        late.setblocking(False)
        late.connect_ex(address)
        time.sleep(0.1)
        listener.accept()[0].close()
        begin = time.monotonic()
        assert select.select([], [late], [], 10)[1] == [late]
        assert 0.5 < time.monotonic() - begin < 1.1
        for client in (*waiting, late):
            client.close()


def test_a_port_that_lingers(sim: World) -> None:
    """Who closed a connection first cannot bind its port again for a minute, unless with SO_REUSEADDR."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()
    client = socket.create_connection(address)
    server, _ = listener.accept()
    for one in (server, client, listener):
        one.close()
    with socket.socket() as again, pytest.raises(OSError, match="in use"):
        again.bind(address)
    with socket.create_server(address):
        pass
    time.sleep(60)
    with socket.socket() as again:
        again.bind(address)


def test_waiting_for_nobody_is_a_deadlock(sim: World) -> None:
    """A read that nothing can end is reported, with what it waits for."""
    reader, _writer = os.pipe()
    with pytest.raises(Deadlock, match="pipe harness:1 to be readable"):
        os.read(reader, 1)


def test_what_is_not_simulated_says_so(sim: World) -> None:
    """Datagrams, other machines, unknown programs and options name themselves."""
    for what, call in (
        ("SOCK_STREAM", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        ("example.org", lambda: socket.getaddrinfo("example.org", 80)),
        ("203.0.113.1", lambda: socket.create_connection(("203.0.113.1", 80))),
        ("ls", lambda: subprocess.Popen(["ls"])),
        ("interactive", lambda: subprocess.Popen([sys.executable])),
    ):
        with pytest.raises(NotSimulated, match=what):
            call()


def test_programs_can_be_registered(sim: World) -> None:
    """A function becomes a command, with arguments, streams and an exit code."""

    def greet(argv: list[str]) -> int:
        print("hello", *argv[1:])
        return 5

    sim.machine.programs.register("greet", greet)
    done = subprocess.run(["greet", "you"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("hello you\n", 5)
