"""What a program learns of the machine it runs on: nothing real that differs from run to run."""

from __future__ import annotations

import logging
import os
import platform
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.sim import World, check_determinism

pytestmark = pytest.mark.sim


def test_times_go_on(world: object) -> None:
    """Elapsed time of `os.times` and of ``/proc/uptime`` moves by what was slept; user time never goes back."""

    def seen() -> list[float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return [os.times().elapsed, float(Path("/proc/uptime").read_text().split()[0]), os.times().user, usage.ru_utime]

    before = seen()
    time.sleep(0.1)
    moved = [after - start for after, start in zip(seen(), before, strict=True)]
    assert moved[0] >= 0.09
    assert moved[1] >= 0.08
    assert min(moved[2:]) >= 0


def test_children_have_used_something(world: object) -> None:
    """Fields and errors of `resource.getrusage`, `os.getloadavg` and `os.uname` are those of the real ones."""
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime >= 0
    assert len(resource.getrusage(resource.RUSAGE_THREAD)) == 16
    with pytest.raises(ValueError, match="invalid who parameter"):
        resource.getrusage(12345)
    assert [load >= 0 for load in os.getloadavg()] == [True] * 3
    assert len(Path("/proc/loadavg").read_text().split()) == 5
    assert os.uname().sysname == "Linux"
    assert os.uname().nodename == socket.gethostname() == platform.node()


@pytest.mark.parametrize("path", ["/dev/urandom", "/dev/random"])
def test_chance_from_a_file(world: object, path: str) -> None:
    """The files of chance give as many bytes as are read, by `open`, `os.open` and `pathlib`."""
    with open(path, "rb") as file:  # noqa: PTH123 - the built-in is what is tested
        first = file.read(16)
    number = os.open(path, os.O_RDONLY)
    second = os.read(number, 16)
    os.close(number)
    with Path(path).open("rb", buffering=0) as raw:
        third = raw.read(16)
    assert [len(first), len(second), len(third or b"")] == [16, 16, 16]
    assert len({first, second, third}) == 3
    assert len(ssl.RAND_bytes(5)) == 5
    with pytest.raises(ValueError, match="num must be positive"):
        ssl.RAND_bytes(-1)


def test_all_of_it_is_repeatable() -> None:
    """Two runs of one seed are told the same; another seed has another chance."""

    def told() -> object:
        record = logging.makeLogRecord({})
        return [
            *(tuple(os.times()), os.getloadavg(), os.uname().nodename, tuple(resource.getrusage(resource.RUSAGE_SELF))),
            *(Path("/proc/uptime").read_text(), Path("/dev/urandom").open("rb").read(8), ssl.RAND_bytes(8)),
            record.relativeCreated,
        ]

    first, second = (check_determinism(told, seed=seed).value for seed in (1, 2))
    assert first[-3:-1] != second[-3:-1]
    assert first[-1] == second[-1] == 0.0


def test_records_are_dated_from_the_start_of_their_process(world: object) -> None:
    """`%(relativeCreated)d` of a process counts from when that one began, in milliseconds."""
    code = (
        "import logging, time; logging.basicConfig(format='%(relativeCreated)d'); time.sleep(0.5); logging.error('x')"
    )
    time.sleep(1.0)
    child = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=True, timeout=60)
    assert 499 <= int(child.stderr) < 60_000
    before = logging.makeLogRecord({}).relativeCreated
    time.sleep(0.2)
    assert 199 <= logging.makeLogRecord({}).relativeCreated - before < 60_000


def test_threads_of_the_host_ask_the_real_machine() -> None:
    """`os.uname` of a thread that is not simulated is the real one's."""
    import _thread

    found: list[str] = []
    go, done = _thread.allocate_lock(), _thread.allocate_lock()
    go.acquire()
    done.acquire()

    def outside() -> None:
        go.acquire(timeout=10)
        found.append(os.uname().nodename)
        done.release()

    thread = threading.Thread(target=outside)
    thread.start()
    with World():
        go.release()
        assert done.acquire(timeout=10)
        assert os.uname().nodename == "simulated"
    thread.join(10)
    assert found == [os.uname().nodename]
