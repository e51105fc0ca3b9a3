"""The monitor of a real deployment: ready means answering, what was killed is back where it was."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.governor_base import ProcessStatus
from schedule_zero.readiness import connected_handlers

pytestmark = [pytest.mark.integration, pytest.mark.governor]


def test_ready_means_that_everything_answers(govern: Any, echo: Any, call: Any) -> None:
    """When start returns True, the server lists the handlers and they answer: nobody has to wait longer."""
    one = govern(echo("h1"), echo("h2"))

    assert one.start()

    assert one.runtime is not None
    infos = one.status()
    assert connected_handlers(one.runtime.http_url) == {"h1": infos["h1"].pid, "h2": infos["h2"].pid}
    assert call(infos["h1"].address, "echo", value=[1, "two"]) == [1, "two"]
    assert {name: (info.status, info.ready) for name, info in infos.items()} == {
        "server": (ProcessStatus.RUNNING, True),
        "h1": (ProcessStatus.RUNNING, True),
        "h2": (ProcessStatus.RUNNING, True),
    }


def test_a_killed_server_comes_back_where_it_was(govern: Any, echo: Any, pid_of: Any, until: Any) -> None:
    """A restarted server has its old ports, so that the handlers find it and register again."""
    one = govern(echo())
    one.start()
    before, pid = one.runtime, pid_of(one, "server")
    assert before is not None

    os.kill(pid, signal.SIGKILL)
    until(lambda: one.status()["server"].restart_count == 1 and one.runtime is not None, "the server is back")

    after = one.runtime
    assert after is not None
    assert (after.http_url, after.registration_address) == (before.http_url, before.registration_address)
    until(lambda: "h1" in connected_handlers(after.http_url), "the handler has registered again")


def test_a_health_check_is_quick_and_true(govern: Any, echo: Any, pid_of: Any, until: Any) -> None:
    """Under 50 ms for all services together; a process that hangs is told apart from those that do not."""
    one = govern(echo("h1"), echo("h2"))
    one.start()
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert one.health_check() == {"server": True, "h1": True, "h2": True}
        times.append(time.monotonic() - began)
    assert min(times) < 0.05

    pid = pid_of(one, "h1")
    os.kill(pid, signal.SIGSTOP)
    try:
        # Its threads stop one after the other, each when it next gets a processor.
        until(lambda: _stands_still(pid), "all its threads stand still")
        assert one.health_check(timeout=0.3) == {"server": True, "h1": False, "h2": True}
    finally:
        os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    """Whether every thread of a process is stopped, as told by the kernel."""
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return set(states) == {"T"}
