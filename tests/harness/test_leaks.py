"""What is left behind is found, named, and ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import zmq

from harness.errors import LeakError
from harness.leaks import MARK, Snapshot, guarded

pytestmark = pytest.mark.integration

_IDLE = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture(params=[True, False], ids=["objects", "quick"])
def objects(request: pytest.FixtureRequest) -> bool:
    """Both ways to look."""
    return bool(request.param)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A context that is ended with all its sockets."""
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


def test_nothing_left_is_no_leak(objects: bool) -> None:
    """What is opened and closed again inside is nobody's leak."""
    before = Snapshot.take(objects=objects)
    with zmq.Context() as context, context.socket(zmq.REQ) as req:
        req.connect("tcp://127.0.0.1:1")
        req.setsockopt(zmq.LINGER, 0)
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert before.leaks(timeout=2.0) == []


def test_a_socket_is_found_and_named(objects: bool, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """An open REQ is a leak, with or without a look at objects; its kind and address are told."""
    before = Snapshot.take(objects=objects)
    req = context.socket(zmq.REQ)
    req.connect("tcp://127.0.0.1:9")
    found = "\n".join(before.leaks(timeout=0))
    req.close(linger=0)
    assert "REQ tcp://127.0.0.1:9" in found
    assert "anon_inode:[eventfd]" in found


def test_a_context_without_sockets_is_found(objects: bool) -> None:
    """A context that nobody ended owns a descriptor, though it never had a socket; it is counted where
    objects are.
    """
    before = Snapshot.take(objects=objects)
    context = zmq.Context()
    found = before.leaks(timeout=0)
    context.term()
    assert [line.split(" ")[0] for line in found] == (["descriptor", "1"] if objects else ["descriptor"])
    assert found[-1] == "1 ZeroMQ context(s) that nobody has ended" or not objects


def test_garbage_is_nobodys_leak(tmp_path: Path, objects: bool) -> None:
    """A file that only a cycle of dead objects holds is collected first."""
    before = Snapshot.take(objects=objects)
    knot: list[object] = [os.fdopen(os.open(tmp_path / "x", os.O_CREAT | os.O_RDWR))]
    knot.append(knot)
    del knot
    with pytest.warns(ResourceWarning):
        found = before.leaks(timeout=2.0)
    assert found == []


def test_a_descriptor_is_named_by_its_file(tmp_path: Path, objects: bool) -> None:
    """A file left open is told by path."""
    before = Snapshot.take(objects=objects)
    with (tmp_path / "left.log").open("w") as file:
        assert before.leaks(timeout=0) == [f"descriptor {file.fileno()} ({tmp_path / 'left.log'})"]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/shm/harness-test", "/proc/self/status"])
def test_a_descriptor_of_a_device_or_of_proc_is_told_like_any_other(path: str, objects: bool) -> None:
    """Shared memory that stays open is a leak, and so is a look at processes that was never ended."""
    made = path.startswith("/dev/shm/")
    before = Snapshot.take(objects=objects)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT if made else os.O_RDONLY)
    try:
        named = Path(f"/proc/self/fd/{descriptor}").readlink()
        assert before.leaks(timeout=0) == [f"descriptor {descriptor} ({named})"]
    finally:
        os.close(descriptor)
        if made:
            Path(path).unlink()


def test_a_terminal_is_told_like_any_other_descriptor() -> None:
    """Both ends of it."""
    before = Snapshot.take(objects=False)
    ends = os.openpty()
    try:
        found = before.leaks(timeout=0)
    finally:
        for end in ends:
            os.close(end)
    assert [line.partition(" (")[2].startswith("/dev/p") for line in found] == [True, True]


@pytest.mark.parametrize("path", ["/dev/urandom", "/dev/random"])
def test_the_source_of_random_numbers_may_stay_open(path: str) -> None:
    """OpenSSL keeps it."""
    before = Snapshot.take(objects=False)
    with Path(path).open("rb", buffering=0):
        assert before.leaks(timeout=0) == []


def test_a_listening_port_is_told() -> None:
    """A listener is told by its port as well as by its descriptor."""
    before = Snapshot.take()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert f"listening port {listener.getsockname()[1]}" in before.leaks(timeout=0)


def test_a_thread_is_told_and_one_on_its_way_out_waited_for(objects: bool) -> None:
    """A thread that goes on is named; one that ends within the time is none."""
    before = Snapshot.take(objects=objects)
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="left over")
    thread.start()
    assert before.leaks(timeout=0) == ["thread 'left over'"]
    threading.Timer(0.2, end.set).start()
    assert before.leaks(timeout=5.0) == []


def test_a_child_is_told_and_killed(objects: bool) -> None:
    """The error names the process; afterwards it is gone, so that whoever comes next does not meet it."""
    before = Snapshot.take(objects=objects)
    child = subprocess.Popen(_IDLE, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with child.stdin, pytest.raises(LeakError, match=rf"process {child.pid}: .*sys.stdin.read"):
        before.require_none(timeout=0.1)
    assert not psutil.pid_exists(child.pid)
    child.wait()


def test_a_zombie_is_told_as_one() -> None:
    """A child that ended and that nobody waited for still holds its entry in the process table."""
    before = Snapshot.take(objects=False)
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 10.0
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found = before.leaks(timeout=0)
    child.wait()
    assert found[0].startswith(f"process {child.pid} (a zombie")


@pytest.mark.slow
def test_an_orphan_that_left_its_parents_is_found_by_its_mark() -> None:
    """A grandchild whose parent is gone hangs below init, and is ours all the same; it is killed."""
    idle = [sys.executable, "-c", "import time; time.sleep(60)"]
    parent = f"import subprocess as s; print(s.Popen({idle!r}, stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
    with pytest.raises(LeakError) as caught, guarded(objects=False, timeout=0.2):  # noqa: PT012 - at its end
        done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
        orphan = int(done.stdout)
        assert psutil.Process(orphan).ppid() != os.getpid()
    assert f"process {orphan}" in str(caught.value)
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="nothing but the environment tells there")
def test_a_daemon_with_a_cleared_environment_is_found_all_the_same() -> None:
    """It hangs below init, in a session of its own, and carries no variable; it is told and killed."""
    shell = "setsid sleep 333 </dev/null >/dev/null 2>&1 & echo $!"
    with pytest.raises(LeakError) as caught, guarded(objects=False, timeout=0.2):  # noqa: PT012 - at its end
        done = subprocess.run(["env", "-i", "/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
        daemon = int(done.stdout)
        assert MARK not in psutil.Process(daemon).environ()
    assert f"process {daemon}: " in str(caught.value)
    assert "sleep 333" in str(caught.value)
    assert not psutil.pid_exists(daemon) or psutil.Process(daemon).status() == psutil.STATUS_ZOMBIE


def test_guards_nest_and_leave_the_environment_as_it_was() -> None:
    """An inner guard sees its own processes, an outer one those of both; afterwards the mark is what it was."""
    mark = os.environ.get(MARK)
    with guarded(objects=False) as outer, guarded(objects=False) as inner:
        assert outer.mark in os.environ[MARK]
        assert inner.mark in os.environ[MARK]
    assert os.environ.get(MARK) == mark


def test_a_quick_look_is_cheap() -> None:
    """A look that every test can afford twice: the best of ten takes less than 20 ms."""
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        Snapshot.take(objects=False, mark="none")
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.020
