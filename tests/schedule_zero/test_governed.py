"""One governed service with a real process: what happens when it ends, cannot start, will not stop."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from schedule_zero.governor_base import ProcessStatus

pytestmark = [pytest.mark.integration, pytest.mark.governor]


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
