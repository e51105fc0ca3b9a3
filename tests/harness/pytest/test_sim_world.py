"""The fixture `sim_world` in a project that knows nothing of this repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.sim]

Project = Callable[..., pytest.RunResult]

YEAR = """\
import asyncio
import time
from datetime import datetime, timezone

import pytest


def test_a_year(sim_world, tmp_path):
    time.sleep(365 * 86_400)
    assert sim_world.elapsed == 365 * 86_400
    assert datetime.now(timezone.utc).year == 2027


async def test_coroutines(sim_world):
    await asyncio.sleep(3600)
    assert sim_world.elapsed == 3600


@pytest.fixture
def real():
    before = time.monotonic()
    yield
    assert time.monotonic() - before < 60


@pytest.mark.sim(seed=9, epoch=datetime(1999, 12, 31, tzinfo=timezone.utc))
def test_options(real, sim_world):
    assert sim_world.seed == 9
    assert datetime.now(timezone.utc).year == 1999
    time.sleep(86_400)
    assert datetime.now(timezone.utc).year == 2000
"""

RACE = """\
import threading
import time

import pytest


@pytest.mark.sim(seeds=12)
def test_race(sim_world):
    order = []

    def work(name):
        time.sleep(1)
        order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order == ["a", "b"]
"""

STUCK = """\
import threading

import harness.sim  # before the time-out begins to run
import pytest


def spin(lock):
    while True:
        if lock.acquire(blocking=False):
            lock.release()


def test_stuck(sim_world):
    lock = threading.Lock()
    other = threading.Thread(target=threading.Event().wait, name="idler", args=(1e6,))
    other.start()
    spin(lock)
"""


def test_the_body_runs_in_virtual_time(project: Project) -> None:
    """A year, a coroutine, another epoch; fixtures around it stay real, and durations are those of the wall."""
    result = project({"test_year.py": YEAR}, "-q", "--durations=0", "-vv")

    result.assert_outcomes(passed=3)
    assert all(float(line.split("s call")[0]) < 60 for line in result.outlines if "s call" in line)


def test_a_race_is_found_by_seeds_and_found_again_by_one(project: Project) -> None:
    """Some seeds let the second thread go first; each failure tells its seed, and the line that repeats it."""
    result = project({"test_race.py": RACE}, "-q")
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    again = next(line for line in result.outlines if line.startswith("again: pytest "))
    name = again.removeprefix("again: pytest ").strip("'")
    seed = name.partition("[seed")[2].rstrip("]")

    assert 0 < len(failed) < 12
    assert any(line.startswith(f"seed {seed}, 1.000000 s of virtual time, digest ") for line in result.outlines)
    project({}, name, "-q").assert_outcomes(failed=1)
    project({}, "test_race.py", f"--harness-seed={seed}", "-q").assert_outcomes(failed=1)


def test_one_seed_is_one_order_also_under_xdist(project: Project) -> None:
    """The very same seeds fail alone, together and in other processes."""
    found = []
    for more in ((), ("-n", "2")):
        lines = project({"test_race.py": RACE}, "-q", *more).outlines
        found.append(sorted(line.split()[1] for line in lines if line.startswith("FAILED")))

    assert found[0] == found[1] != []


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_time_out_shows_what_simulated_threads_wait_for(project: Project, method: str) -> None:
    """By either method of pytest-timeout: each thread with its process and what it waits for."""
    result = project({"test_stuck.py": STUCK}, "-q", "--timeout=4", f"--timeout-method={method}")

    assert result.ret != 0
    said = "\n".join((*result.outlines, *result.errlines))
    assert "process harness" in said
    assert "idler: waits for" in said
    if method == "signal":
        assert "Timeout (>4.0s) from pytest-timeout" in said
        assert "seed " in said


def test_what_is_wrong_with_the_marker_is_said(here: Project) -> None:
    """Options are named."""
    text = YEAR.replace("seed=9, ", "9, ")

    result = here({"test_year.py": text}, "-q", "-k", "options")

    assert "takes named options only" in "\n".join(result.outlines)


FILES: Mapping[str, str] = {
    "both.yaml": """\
scenario: 1
name: both
kind: regression
worlds: [sim, real]
seeds: {count: 2, from: 5}
limits: {setup: 30s, run: 30s, settle: 5s, teardown: 20s}
target: {driver: apscheduler}
topology: {scheduler: {store: memory}}
given:
  - {op: schedule.add, with: {id: one, every: 1s}}
when: [{advance: 2500ms}]
then: [fires-as-modelled]
"""
}


def test_scenario_files_have_an_item_for_each_world_and_seed(project: Project, here: Project) -> None:
    """They are chosen by marker, and the simulated ones pass."""
    listed = here(FILES, "--collect-only", "-q")
    names = [line for line in listed.outlines if "::" in line]

    assert names == [f"both.yaml::both[{world}-{seed}]" for seed in (5, 6) for world in ("sim", "real")]
    project({}, "-q", "-m", "sim").assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "@pytest.mark.sim(seed=3)\ndef test_it(): pass\n",
            "*@pytest.mark.sim(seed=*) gives options to a simulated world, and the test has none*",
        ),
        ("@pytest.mark.sim(seeds=0)\ndef test_it(sim_world): pass\n", "*seeds=0 makes no test*"),
        ("@pytest.mark.sim(seeds='x')\ndef test_it(sim_world): pass\n", "*seeds='x' makes no test*"),
        ("@pytest.mark.sim(seedz=3)\ndef test_it(sim_world): pass\n", "*no option 'seedz'*"),
        (
            "@pytest.fixture\n"
            "def service(sim_world):\n"
            "    import threading\n"
            "    stop = threading.Event()\n"
            "    thread = threading.Thread(target=stop.wait, name='the service')\n"
            "    thread.start()\n"
            "    yield\n"
            "    stop.set()\n"
            "    thread.join()\n"
            "def test_it(service): pass\n",
            "*a fixture started the thread 'the service' for a test with sim_world*",
        ),
    ],
    ids=["no-world", "no-seeds", "text", "misspelt", "thread-of-a-fixture"],
)
def test_a_mistake_is_told(project: Project, text: str, words: str) -> None:
    """Options for no world, no seeds, and real threads beside the simulated ones used to pass in silence."""
    result = project({"test_it.py": "import pytest\n" + text})

    assert result.ret != 0
    result.stdout.fnmatch_lines([words])
