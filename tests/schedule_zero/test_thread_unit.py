"""One life after the other in threads, in simulated time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from schedule_zero.errors import ConfigError, PortTaken, ScheduleZeroError, StoreUnusable
from schedule_zero.thread_unit import ThreadLaunch, ThreadUnit

pytestmark = pytest.mark.governor


class Job:
    """Work that does as it is told."""

    def __init__(self, does: Callable[[], object] | None = None) -> None:
        self.left: list[threading.Thread] = []
        self._ended = threading.Event()
        self._does = does or self._ended.wait

    def run(self) -> None:
        """Do it."""
        self._does()

    def end(self) -> None:
        """Be asked to end."""
        self._ended.set()


def launch(does: Callable[[], object] | None = None) -> ThreadLaunch:
    """How such work is begun."""
    return ThreadLaunch(lambda: Job(does), "tcp://127.0.0.1:1")


def failing(error: BaseException) -> Callable[..., object]:
    """What raises this error."""

    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_life_that_is_asked_to_end_ends(sim_world: Any) -> None:
    """Exit code 0, told once; the next life has another number."""
    unit = ThreadUnit("h1")
    assert (unit.incarnation, unit.work, unit.poll(), unit.uptime(), unit.pid) == (None, None, None, 0.0, None)
    assert unit.begin(launch()) == 1
    time.sleep(2.0)
    assert (unit.incarnation, unit.label, round(unit.uptime()), unit.wait(1.0)) == (1, "thread 1", 2, None)

    unit.terminate()

    assert (unit.wait(5.0), unit.poll(), unit.incarnation, unit.abandoned) == (0, None, None, [])
    assert unit.begin(launch()) == 2
    unit.terminate()
    assert unit.wait(5.0) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong"), 2, "wrong"),
        (PortTaken("taken"), 3, "taken"),
        (StoreUnusable("full"), 4, "full"),
        (ScheduleZeroError("odd"), 1, "odd"),
        (ValueError("a bug"), 1, "ValueError: a bug"),
        (SystemExit(7), 7, "SystemExit: 7"),
        (SystemExit(), 0, "SystemExit: None"),
        (SystemExit("words"), 1, "SystemExit: words"),
    ],
)
def test_how_a_life_ended_is_told_as_of_a_process(sim_world: Any, error: BaseException, code: int, said: str) -> None:
    """By the same exit codes, with its last words; nothing reaches the interpreter."""
    unit = ThreadUnit("h1")
    unit.begin(launch(failing(error)))

    assert (unit.wait(5.0), unit.last_lines()) == (code, said)


def test_two_lives_at_once_are_refused(sim_world: Any) -> None:
    """The first would be lost sight of."""
    unit = ThreadUnit("h1")
    unit.begin(launch())
    with pytest.raises(RuntimeError, match="h1: thread 1 has not been cleared away"):
        unit.begin(launch())
    unit.terminate()
    unit.wait(5.0)


def test_a_thread_that_hangs_is_given_up(sim_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is told where it hangs, the life is over with code 1, and it is counted until it ends."""
    unit = ThreadUnit("h1")
    unit.begin(launch(lambda: time.sleep(30.0)))
    unit.terminate()
    assert unit.wait(1.0) is None

    unit.kill()

    assert (unit.poll(), unit.incarnation) == (1, None)
    assert "h1: thread 1 hangs at " in caplog.text
    assert ([thread.name for thread in unit.abandoned], unit.usage()) == (["h1-life-1"], {"abandoned_threads": 1})
    time.sleep(30.0)
    assert (unit.abandoned, unit.usage()) == ([], {"abandoned_threads": 0})
    unit.kill()  # without a life: nothing
    unit.tidy()


def test_a_system_without_threads_is_told_as_of_processes(sim_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """OSError, as when no process can be started; the unit can be begun later."""
    unit = ThreadUnit("h1")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", failing(RuntimeError("can't start new thread")))
        with pytest.raises(OSError, match="can't start new thread"):
            unit.begin(launch())
    assert unit.incarnation is None
    unit.begin(launch(lambda: sys.exit(0)))
    assert unit.wait(5.0) == 0
