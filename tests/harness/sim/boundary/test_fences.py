"""What is not simulated is refused, with the line that asked for it; the host is never refused."""

from __future__ import annotations

import _ctypes
import _socket
import _thread
import contextlib
import ctypes
import io
import multiprocessing
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from os import fork as fork_bound_before
from pathlib import Path

import pytest

from harness.sim import NotSimulated, World
from harness.sim.boundary.callsite import call_site, is_foreign

HERE = Path(__file__).name


def refused(call: Callable[[], object], **options: bool) -> str:
    """The text of the refusal of `call` in a world."""
    with World(**options) as world, pytest.raises(NotSimulated) as caught:  # type: ignore[arg-type]
        call()
    assert world.kernel.now == 0
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("os.fork", os.fork),
        ("os.execv", lambda: os.execv(sys.executable, ["python"])),
        ("os.system", lambda: os.system("true")),
        ("os.posix_spawn", lambda: os.posix_spawn("/bin/true", ["true"], {})),
        ("multiprocessing", lambda: multiprocessing.get_context("spawn").Process(target=print).start()),
    ],
)
def test_a_fence_names_the_line(name: str, call: Callable[[], object]) -> None:
    """The refusal says what was reached, in which file and line, and what to do instead."""
    text = refused(call)

    assert name in text
    assert HERE in text
    assert "is not simulated: " in text
    assert "python -m harness.sim.boundary" in text


def test_a_name_bound_before_is_fenced() -> None:
    """``from os import fork`` before the world does not get around the fence."""
    assert "os.fork" in refused(fork_bound_before)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("socket.socket", socket.socket),
        ("subprocess.Popen", lambda: subprocess.run(["true"], check=False)),
        ("signal.alarm", lambda: signal.alarm(1)),
    ],
)
def test_without_the_machine_its_names_are_fenced(name: str, call: Callable[[], object]) -> None:
    """``World(machine=False)`` refuses sockets, children and signals instead of letting real ones through."""
    text = refused(call, machine=False, zmq=False)

    assert name in text
    assert HERE in text


def test_what_slips_by_the_fences_is_caught_by_the_audit_hook() -> None:
    """The C socket under the fenced class, reached directly, still cannot connect to anything real."""

    def connect() -> None:
        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        try:
            sock.connect(("127.0.0.1", 9))
        finally:
            sock.close()

    text = refused(connect)
    assert "socket.connect(('127.0.0.1', 9))" in text
    assert HERE in text


@pytest.mark.parametrize("path", ["/dev/urandom", b"/dev/random"])
def test_real_chance_below_open_is_refused(path: str | bytes) -> None:
    """The file of chance, opened by the class below `open`, would give other bytes in each run; other files pass."""
    text = refused(lambda: io.FileIO(path))
    assert f"open({path!r}) at " in text
    assert HERE in text
    assert "os.urandom" in text
    with World(), io.FileIO(__file__) as file:
        assert file.read(3) == b'"""'


def test_loading_a_c_library_is_refused() -> None:
    """ctypes could do anything unseen; a library has to be loaded before the world."""
    assert "ctypes.CDLL" in refused(lambda: ctypes.CDLL("libm.so.6"))
    assert "ctypes.dlopen" in refused(lambda: _ctypes.dlopen("libm.so.6", 0))


def test_the_world_s_own_doings_are_permitted() -> None:
    """Inside `permitted` the audit hook looks away, for the calling thread only."""
    with World() as world:
        with world.fences.permitted():
            assert _ctypes.dlopen("libm.so.6", 0)
        with pytest.raises(NotSimulated):
            _ctypes.dlopen("libm.so.6", 0)


def test_threads_of_the_host_pass() -> None:
    """A thread that was there before the world opens a real socket while the world is open."""
    made, go, done = [], _thread.allocate_lock(), _thread.allocate_lock()
    go.acquire()
    done.acquire()

    def outside() -> None:
        go.acquire(timeout=10)
        try:
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                made.append(sock.getsockname()[1])
        finally:
            done.release()

    thread = threading.Thread(target=outside)
    thread.start()
    with World():
        go.release()
        assert done.acquire(timeout=10)
    thread.join(10)

    assert made
    assert made[0] > 0


def test_everything_passes_afterwards() -> None:
    """After the world a child and a socket are real again, made through the same names."""
    with World(machine=False, zmq=False), pytest.raises(NotSimulated):
        socket.socket()

    assert subprocess.run([sys.executable, "-c", ""], check=False, timeout=60).returncode == 0
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))


def test_the_call_site_is_the_nearest_foreign_frame() -> None:
    """Frames of the standard library and of the simulation are skipped; site-packages count as the user's."""
    assert f"{HERE}:" in call_site()
    assert "test_the_call_site_is_the_nearest_foreign_frame" in call_site()
    assert is_foreign("/home/me/app.py")
    assert is_foreign(str(Path(pytest.__file__)))
    assert not is_foreign(threading.__file__)
    assert not is_foreign(sys.modules["harness.sim.kernel"].__file__ or "")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("os.mkfifo", lambda: os.mkfifo("never")),
        ("os.mknod", lambda: os.mknod("never")),
        ("os.openpty", lambda: os.openpty()),
        ("ssl.SSLContext.wrap_socket", lambda: ssl.create_default_context().wrap_socket(*socket.socketpair()[:1])),
    ],
)
def test_what_would_wait_in_real_time_is_refused(name: str, call: Callable[[], object]) -> None:
    """Calls that wait in C, or read real descriptors there, are refused with the line that made them."""
    text = refused(call)

    assert text.startswith(f"{name} at ")
    assert HERE in text


def test_a_fifo_that_is_there_is_refused(tmp_path: Path) -> None:
    """`open` and `os.open` of a FIFO would wait for the other end in real time."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    for call in (path.open, lambda: os.open(path, os.O_RDONLY), lambda: open(str(path), "w")):  # noqa: PTH123, SIM115
        text = refused(call)
        assert f"open({str(path)!r}) of a FIFO" in text
        assert HERE in text


def test_an_interpreter_of_its_own_is_refused() -> None:
    """Code in a subinterpreter would have real time."""
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"

    def create() -> None:
        __import__(name).create()

    assert f"{name}.create at " in refused(create)


def test_a_real_socket_is_told_from_a_missing_part() -> None:
    """The advice for a C socket is to make a simulated one, unless nothing simulates sockets here."""

    def bind() -> None:
        with contextlib.closing(_socket.socket()) as sock:
            sock.bind(("127.0.0.1", 0))

    assert "this is a real socket; make sockets with socket.socket" in refused(bind)
    assert "the machine part of the world is not installed" in refused(bind, machine=False, zmq=False)
