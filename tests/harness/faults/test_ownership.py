"""Only processes of the run are touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from harness import descent
from harness.faults.base import Alone
from harness.faults.ownership import NotOurs, ProcessGone, own_process
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.lifecycle.postconditions import tagged_processes
from harness.targets.base import Place, PlaceKind

_FORK_AND_TELL = """
import subprocess, sys
idle = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(idle, start_new_session=True, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A process that is nobody's descendant: its parent has ended; it carries the tag ``run-7``."""
    env = {**os.environ, "HARNESS_RUN": "run-7"}
    out = subprocess.run(
        [sys.executable, "-c", _FORK_AND_TELL], env=env, stdout=subprocess.PIPE, check=True, timeout=30
    )
    process = psutil.Process(int(out.stdout))
    yield Place(PlaceKind.PROCESS, "stranger", pid=process.pid, started=process.create_time())
    process.kill()


def test_a_descendant_may_be_touched(spawn: Any, place_of_child: Any) -> None:
    """A child of this process is found and allowed without any tag."""
    child = spawn()
    assert own_process(place_of_child(child), Alone()).pid == child.pid


def test_a_stranger_without_the_tag_of_this_run_is_refused(stranger: Any) -> None:
    """A process of another run is left alone, and the refusal says what would allow it."""
    with pytest.raises(
        NotOurs,
        match=r"stranger \(pid \d+, .*\) was not started by this run.*HARNESS_RUN=run-8.*allow it by name",
    ):
        own_process(stranger, Alone(run_tag="run-8"))
    with pytest.raises(NotOurs):
        ProcessKill(stranger, KillArgs()).inject()
    assert psutil.Process(stranger.pid).is_running()


def test_the_tag_of_the_run_makes_an_orphan_ours(stranger: Any) -> None:
    """What a dead parent left behind is recognised by its environment."""
    assert own_process(stranger, Alone(run_tag="run-7")).pid == stranger.pid


@pytest.mark.skipif(sys.platform != "linux", reason="nothing but the environment tells there")
def test_the_mark_of_the_run_makes_an_orphan_with_another_environment_ours(stranger: Any) -> None:
    """A fault and the search for orphans are of one mind about whose a process is."""
    descent.mark(stranger.pid, descent.mark_of("run-9"))  # its environment says run-7 still

    assert [entry["pid"] for entry in tagged_processes("run-9")[1]] == [stranger.pid]
    assert own_process(stranger, Alone(run_tag="run-9")).pid == stranger.pid


def test_a_stranger_may_be_allowed_by_name(stranger: Any) -> None:
    """A glob on the name of the place opens the door on purpose."""
    assert own_process(stranger, Alone(allowed=("strang*",))).pid == stranger.pid


@pytest.mark.parametrize("pid", [os.getpid(), os.getppid()], ids=["self", "parent"])
def test_the_harness_and_its_parents_are_refused_even_when_allowed(pid: int) -> None:
    """No name and no tag lets a fault end the run itself."""
    if pid <= 1:
        pytest.skip("this process has no parent of its own here")
    with pytest.raises(NotOurs, match="the harness itself or one of its parents"):
        own_process(Place(PlaceKind.PROCESS, "me", pid=pid), Alone(allowed=("*",)))


def test_a_reused_pid_is_another_process(spawn: Any, place_of_child: Any) -> None:
    """The same number with another start time is not the process that was meant."""
    child = spawn()
    place = place_of_child(child)
    older = Place(place.kind, place.name, pid=place.pid, started=place.started - 100.0)
    with pytest.raises(ProcessGone, match=f"pid {child.pid} is another process now"):
        own_process(older, Alone())
    assert child.poll() is None


def test_a_zombie_and_a_free_pid_are_gone(spawn: Any, place_of_child: Any) -> None:
    """A process that ended is gone, whether its parent has looked yet or not."""
    child = spawn()
    place = place_of_child(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessGone, match="has ended already"):
        own_process(place, Alone())
    child.wait()
    with pytest.raises(ProcessGone, match=f"no process has pid {child.pid}"):
        own_process(place, Alone())


def test_the_first_process_of_the_system_is_not_ours() -> None:
    """It lives, and the refusal does not say otherwise; no name allows it."""
    with pytest.raises(NotOurs, match=r"^pid 1 was not started by this run: it is the first process of this system$"):
        own_process(Place(PlaceKind.PROCESS, "pid 1", pid=1), Alone(allowed=("*",)))


def test_a_place_without_a_process_has_none() -> None:
    """A place that was never started."""
    with pytest.raises(ProcessGone, match=r"h1 has no process \(pid 0\)"):
        own_process(Place(PlaceKind.HANDLER, "h1"), Alone())
