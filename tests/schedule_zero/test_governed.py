"""One governed service with a real process: what happens when it ends, cannot start, will not stop."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, cast

import pytest

from schedule_zero.deployment import RestartSettings
from schedule_zero.governed import Governed
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.restart_policy import Restarts
from schedule_zero.stop_report import Ending, Forced

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


class Dying:
    """A service that hears nothing and, once it is killed, takes a while to die."""

    force, forced, label = "is killed", Forced.KILLED, "process 7"
    pid: int | None = 7

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started_at = 0.0
        self.dies: float | None = None

    @property
    def incarnation(self) -> int | None:
        """Its one life."""
        return self.pid

    def begin(self, launch: Any) -> int:
        """Begin."""
        return 7

    def poll(self) -> int | None:
        """-9, once, when it is dead."""
        if self.pid is None or self.dies is None or time.monotonic() < self.dies:
            return None
        self.pid = None
        return -9

    def terminate(self) -> None:
        """Hear nothing."""

    def kill(self) -> None:
        """Begin to die."""
        self.dies = time.monotonic() + self.seconds

    def wait(self, timeout: float) -> int | None:
        """As `poll`, at the end of the wait."""
        time.sleep(min(timeout, self.seconds + 0.01))
        return self.poll()


@pytest.mark.unit
def test_the_time_a_stop_took_lasts_until_the_end_was_seen() -> None:
    """Also of a service that had to be killed, and took its time to die."""
    one: Governed[Any] = Governed("deaf", cast("Any", Dying(0.3)), Restarts(RestartSettings()))
    one.begin(cast("Any", object()))
    one.retire()
    assert one.finish(time.monotonic())
    assert one.ending is not None
    assert 0.3 <= one.ending.after < 5.0
    assert one.ending == Ending(-9, Forced.KILLED, ready=False, after=one.ending.after)
