"""Files, their locks and descriptors across processes: one body in both worlds."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.sim import World
from schedule_zero.deployment_lock import DeploymentLock, GovernorAlreadyRunning
from schedule_zero.files import write_atomically

pytestmark = pytest.mark.sim


@contextmanager
def process(code: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A child that has printed its first line; killed at the end."""
    command = [sys.executable, "-c", textwrap.dedent(code), *args]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child
        finally:
            child.kill()


LOCKING = """
import fcntl, os, sys, time
number = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(number, fcntl.LOCK_EX)
print('locked', flush=True)
sys.stdin.readline()
os.close(number)
print('released', flush=True)
time.sleep(60)
"""


def test_a_lock_dies_with_its_process(world: object, tmp_path: Path) -> None:
    """flock keeps others out until its holder is killed; a waiting one gets it then."""
    path = tmp_path / "lock"
    with process(LOCKING, str(path)) as child:
        number = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        timer = threading.Timer(0.1, child.kill)
        timer.start()
        begin = time.monotonic()
        fcntl.flock(number, fcntl.LOCK_EX)
        assert 0.09 < time.monotonic() - begin < 5
        timer.join()
        fcntl.flock(number, fcntl.LOCK_UN)
        os.close(number)


def test_a_lock_ends_with_its_descriptor(world: object, tmp_path: Path) -> None:
    """Closing releases it, in another process and in this one."""
    path = tmp_path / "lock"
    with process(LOCKING, str(path)) as child, path.open("w") as file:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == "released\n"
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = os.open(path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(other)


def test_the_lock_of_a_deployment(world: object, tmp_path: Path) -> None:
    """The scheduler's own lock names its holder to who comes second."""
    first, second = (DeploymentLock(tmp_path / "d" / "lock", "d") for _ in range(2))
    first.acquire()
    with pytest.raises(GovernorAlreadyRunning) as error:
        second.acquire()
    assert error.value.pid == os.getpid()
    first.release()
    second.acquire()
    second.release()


def test_files_by_number(world: object, tmp_path: Path) -> None:
    """os.open and the file object over it; the number is gone afterwards."""
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write("text")
    assert (tmp_path / "file").read_text() == "text"
    with pytest.raises(OSError, match="Bad file descriptor") as error:
        os.fstat(number)
    assert error.value.errno == errno.EBADF


def test_files_are_replaced_whole(world: object, tmp_path: Path) -> None:
    """The scheduler's own writing, over a temporary file and fsync."""
    write_atomically(tmp_path / "a" / "b", "one", durable=True)
    write_atomically(tmp_path / "a" / "b", "two")
    assert [(path.name, path.read_text()) for path in (tmp_path / "a").iterdir()] == [("b", "two")]


def test_a_position_is_shared(world: object, tmp_path: Path) -> None:
    """A child writes on where its parent was, through the same open file."""
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"parent ")
        subprocess.run([sys.executable, "-c", "print('child', end=' ')"], stdout=out, check=True)
        out.write(b"parent")
    assert (tmp_path / "out").read_bytes() == b"parent child parent"


def test_a_number_that_c_code_has_closed_is_nobody_s(tmp_path: Path) -> None:
    """A process that wrote by ``FileIO(os.open(...))``, as imports do, ends: no other descriptor is closed for it."""
    code = f"""
        import io, os
        os.chdir({str(tmp_path)!r})
        kept = open("kept", "w")
        io.FileIO(os.open("taken", os.O_CREAT | os.O_WRONLY), "w").close()
        print("there", flush=True)
        {{}}
        os.kill(os.getpid(), 9)
    """
    for more in ("pass", "again = open('again', 'w')", "taken = open('taken', 'w')"):
        with World(), process(code.format(more)) as child:
            child.wait(5)
            mine = os.open(tmp_path / "mine", os.O_CREAT | os.O_WRONLY)
        assert os.fstat(mine).st_ino == (tmp_path / "mine").stat().st_ino
        os.close(mine)


def test_temporary_files(world: object) -> None:
    """tempfile: named, anonymous, folders."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w+", dir=folder) as named:
        named.write("x")
        named.flush()
        assert Path(named.name).read_text() == "x"
    assert not Path(folder).exists()
    with tempfile.TemporaryFile() as anonymous:
        anonymous.write(b"y")
        anonymous.seek(0)
        assert anonymous.read() == b"y"


def test_standard_streams_can_be_moved(world: object, tmp_path: Path) -> None:
    """os.dup2 over number 1 in a child: what daemons do."""
    code = """
    import os, sys
    number = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    os.dup2(number, 1)
    os.write(1, b'moved')
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "out")]
    assert subprocess.run(command, capture_output=True).stdout == b""
    assert (tmp_path / "out").read_bytes() == b"moved"
