"""``process.pause`` stops a process with its group and lets all of them go on."""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from harness.faults.base import NoArgs
from harness.faults.process_pause import ProcessPause

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_it_stands_still_and_goes_on(spawn: Any, place_of_child: Any) -> None:
    """The kernel says stopped while the fault is on, and not any more afterwards."""
    child = psutil.Process(spawn().pid)
    with ProcessPause(place_of_child(child), NoArgs()):
        assert child.status() == psutil.STATUS_STOPPED
    assert child.status() != psutil.STATUS_STOPPED


def test_the_group_stands_still_with_its_leader(spawn: Any, place_of_child: Any) -> None:
    """A child that the process started in its own group is stopped and continued with it."""
    leader = psutil.Process(spawn(_PARENT, start_new_session=True).pid)
    (member,) = leader.children()
    fault = ProcessPause(place_of_child(leader), NoArgs())
    assert fault.inject() == {"pids": [leader.pid, member.pid]}
    assert [leader.status(), member.status()] == [psutil.STATUS_STOPPED, psutil.STATUS_STOPPED]
    fault.heal()
    assert psutil.STATUS_STOPPED not in (leader.status(), member.status())


def test_a_member_of_our_own_group_is_paused_alone(spawn: Any, place_of_child: Any) -> None:
    """A child in the group of this process does not take its siblings, or us, with it."""
    first, second = spawn(), spawn()
    with ProcessPause(place_of_child(first), NoArgs()):
        assert psutil.Process(second.pid).status() != psutil.STATUS_STOPPED


def test_what_ended_while_paused_counts_as_healed(spawn: Any, place_of_child: Any) -> None:
    """A process that was killed in the meantime needs no SIGCONT, and a second heal does nothing."""
    child = spawn()
    fault = ProcessPause(place_of_child(child), NoArgs())
    fault.inject()
    child.kill()
    child.wait()
    assert fault.heal() == {"pids": []}
    assert fault.heal() == {"pids": []}


def test_until_when_it_lasts_is_said_by_the_scenario() -> None:
    """A pause has no length of its own: without ``for`` it lasts to the end."""
    assert ProcessPause.lasts(NoArgs()) is None


@pytest.mark.parametrize("rounds", [20])
def test_pausing_again_and_again_leaves_it_running(spawn: Any, place_of_child: Any, rounds: int) -> None:
    """No signal is lost however often it is stopped and continued."""
    child = spawn()
    for _ in range(rounds):
        with ProcessPause(place_of_child(child), NoArgs()):
            pass
    child.stdin.close()
    assert child.wait(10) == 0
