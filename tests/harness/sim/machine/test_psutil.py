"""Processes seen from outside: one body with the real psutil and with the simulation's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

pytestmark = pytest.mark.sim


@pytest.fixture
def child(world: object) -> Iterator[subprocess.Popen[bytes]]:
    """A child that sleeps, with a listening socket and an environment of its own."""
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print('up', flush=True); time.sleep(60)"
    env = {**os.environ, "MARK": "seen"}
    process = subprocess.Popen([sys.executable, "-c", code, "word"], env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait(20)
    process.stdout.close()


def until(condition: object, seconds: float = 5.0) -> bool:
    """Whether it becomes true."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_what_it_says_of_a_child(child: subprocess.Popen[bytes]) -> None:
    """Command, environment, parent, start."""
    seen = psutil.Process(child.pid)
    assert seen.cmdline()[-1] == "word"
    assert seen.environ()["MARK"] == "seen"
    assert seen.ppid() == os.getpid()
    assert seen.parent() == psutil.Process()
    assert seen in psutil.Process().children()
    assert abs(seen.create_time() - time.time()) < 30
    assert seen.is_running()
    assert seen.status() in (psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING)
    assert seen.num_threads() == 1
    assert seen.num_fds() >= 4
    assert isinstance(seen, psutil.Process)


def test_its_listening_port(child: subprocess.Popen[bytes]) -> None:
    """net_connections names it."""
    [listening] = [one for one in psutil.Process(child.pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    socket.create_connection(("127.0.0.1", listening.laddr.port), timeout=5).close()
    everywhere = [(one.laddr.port, one.pid) for one in psutil.net_connections("tcp") if one.laddr]
    assert (listening.laddr.port, child.pid) in everywhere


def test_stop_and_continue(child: subprocess.Popen[bytes]) -> None:
    """suspend, resume and their status."""
    seen = psutil.Process(child.pid)
    seen.suspend()
    assert until(lambda: seen.status() == psutil.STATUS_STOPPED)
    seen.resume()
    assert until(lambda: seen.status() == psutil.STATUS_SLEEPING)


def test_a_zombie_and_its_end(child: subprocess.Popen[bytes]) -> None:
    """A killed child is a zombie until it is waited for; then there is no such process."""
    seen = psutil.Process(child.pid)
    seen.kill()
    assert until(lambda: seen.status() == psutil.STATUS_ZOMBIE)
    assert psutil.pid_exists(child.pid)
    assert seen.is_running()
    with pytest.raises(psutil.ZombieProcess):
        seen.cmdline()
    assert child.wait(20) == -9
    assert not seen.is_running()
    with pytest.raises(psutil.NoSuchProcess):
        seen.status()
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(child.pid)
    assert child.pid not in psutil.pids()


def test_wait(child: subprocess.Popen[bytes]) -> None:
    """TimeoutExpired while it runs, then its code; wait_procs tells who is gone."""
    seen = psutil.Process(child.pid)
    with pytest.raises(psutil.TimeoutExpired):
        seen.wait(0.02)
    assert psutil.wait_procs([seen], timeout=0.02) == ([], [seen])
    seen.terminate()
    gone, alive = psutil.wait_procs([seen], timeout=20)
    assert (gone, alive) == ([seen], [])
    assert seen.wait() == -signal.SIGTERM


def test_all_processes(child: subprocess.Popen[bytes]) -> None:
    """process_iter meets the caller and the child."""
    pids = [process.pid for process in psutil.process_iter()]
    assert {os.getpid(), child.pid} <= set(pids)
    assert pids == sorted(pids)


def test_pidfd(child: subprocess.Popen[bytes]) -> None:
    """A pidfd names the process for certain: signals go to it until it has ended."""
    import select

    handle = os.pidfd_open(child.pid)
    assert select.select([handle], [], [], 0) == ([], [], [])
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    assert select.select([handle], [], [], 20)[0] == [handle]
    assert child.wait(20) == -9
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
