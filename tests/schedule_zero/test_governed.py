"""One governed service with a real process: what happens when it ends, cannot start, will not stop."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from schedule_zero.governor_base import ProcessStatus

pytestmark = [pytest.mark.integration, pytest.mark.governor]


def test_a_handler_that_does_not_import_stops_nobody_else(govern: Any, echo: Any, until: Any) -> None:
    """start answers False; the bad handler is crashed with the reason, without restarts; the rest works."""
    one = govern(echo("bad", "Absent"), echo("good"))

    assert one.start() is False

    bad = one.get_handler_status("bad")
    assert bad is not None
    assert (bad.status, bad.exit_code, bad.restart_count) == (ProcessStatus.CRASHED, 2, 0)
    assert "ended with exit code 2: " in str(bad.last_error)
    assert "has no class 'Absent'" in str(bad.last_error)
    until(lambda: one.health_check() == {"server": True, "bad": False, "good": True}, "the others are well")


def test_a_killed_handler_comes_back_where_it_was(govern: Any, echo: Any, call: Any, until: Any) -> None:
    """A crashed handler is restarted at the same address, and its last error says what happened."""
    one = govern(echo())
    one.start()
    before = one.status()["h1"]
    assert before.pid is not None

    os.kill(before.pid, signal.SIGKILL)
    until(lambda: one.status()["h1"].restart_count == 1 and one.status()["h1"].ready, "the handler is back")

    after = one.status()["h1"]
    assert (after.address, after.status) == (before.address, ProcessStatus.RUNNING)
    assert after.pid != before.pid
    assert f"process {before.pid} was ended by signal 9" in str(after.last_error)
    assert call(after.address, "where")["pid"] == after.pid


def test_a_crash_loop_ends(govern: Any, echo: Any, until: Any) -> None:
    """After max_restarts the handler is crashed for good, with exit code and last words; nobody else is."""
    one = govern(echo("h1"), echo("dies", "Dies"))
    assert one.start() is False

    until(lambda: one.status()["dies"].status is ProcessStatus.CRASHED, "the handler is given up")

    dies = one.status()["dies"]
    assert (dies.restart_count, dies.exit_code, dies.pid) == (2, 7, None)
    assert "ended with exit code 7: no luck today" in str(dies.last_error)
    assert one.health_check() == {"server": True, "h1": True, "dies": False}


def test_without_auto_restart_a_crash_is_final(govern: Any, echo: Any, pid_of: Any, until: Any) -> None:
    """auto_restart=False: the first crash is the last."""
    one = govern(echo(auto_restart=False))
    one.start()
    pid = pid_of(one, "h1")

    os.kill(pid, signal.SIGKILL)
    until(lambda: one.status()["h1"].status is ProcessStatus.CRASHED, "the crash is noticed")

    assert one.status()["h1"].restart_count == 0


def test_a_handler_that_will_not_stop_is_killed(world: Any, govern: Any, echo: Any) -> None:
    """stop keeps its time-out whatever a handler does."""
    one = govern(echo("deaf", "Deaf"), echo("h1"))
    one.start()
    began = time.monotonic()

    assert one.stop(timeout=1.0)

    assert 0.5 < time.monotonic() - began < 3.0
    assert one.status()["deaf"].exit_code == -signal.SIGKILL
    assert one.status()["h1"].exit_code == 0
    assert world.processes() == []


def test_a_handler_is_restarted_by_hand(govern: Any, echo: Any, call: Any) -> None:
    """restart_handler replaces the process at the same address; others keep theirs."""
    one = govern(echo("h1"), echo("h2"))
    one.start()
    before = one.status()

    assert one.restart_handler("h1")

    after = one.status()
    assert after["h1"].pid != before["h1"].pid
    assert (after["h1"].address, after["h2"].pid) == (before["h1"].address, before["h2"].pid)
    assert call(after["h1"].address, "where")["pid"] == after["h1"].pid
