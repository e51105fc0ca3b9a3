"""`harness run` in one world or both, twice on demand; `harness replay`; `harness boundary`."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest

from harness import sim

if TYPE_CHECKING:
    from click.testing import Result

    from tests.harness.conftest import FakeDriver

    Harness = Callable[..., Result]

pytestmark = [pytest.mark.unit, pytest.mark.sim]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Where the runs of a test lie."""
    return tmp_path / "reports"


@pytest.fixture
def stored(harness: Harness, both: Path, reports: Path) -> Path:
    """The folder of a simulated run."""
    assert harness("run", both, "--world", "sim", "-q").exit_code == 0
    (folder,) = reports.iterdir()
    return folder


def orphans(number: list[int]) -> Callable[[], Any]:
    """A script by which the fake target leaves a process behind whose pid is taken from `number`, one a call."""

    async def found() -> list[dict[str, Any]]:
        return [{"pid": number.pop()}] if number else []

    return found


def test_both_plays_every_world_of_the_file_and_shows_that_they_agree(harness: Harness, both: Path) -> None:
    """One run a world, one row in the table; also when the environment asks for it."""
    found = harness("run", both, "--world", "both", "-q")

    assert found.exit_code == 0
    assert "2 runs:  2 pass" in found.output
    row = next(line for line in found.output.splitlines() if line.endswith("agree") and line.startswith("short"))
    assert row.split() == ["short", "3", "pass", "pass", "agree"]
    assert found.output.endswith("1 of 1 agree\n")


def test_both_may_come_from_the_environment(
    harness: Harness, both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HARNESS_WORLD=both is the same as --world both, and the command line goes first."""
    monkeypatch.setenv("HARNESS_WORLD", "both")

    assert "1 of 1 agree" in harness("run", both, "-q").output
    assert "agree" not in harness("run", both, "-q", "--world", "sim").output


def test_a_file_for_one_world_is_played_in_that_one(harness: Harness, short: Path) -> None:
    """There is nothing to compare, which is no failure."""
    found = harness("run", short, "--world", "both", "-q")

    assert found.exit_code == 0
    assert "one world only" in found.output
    assert "0 of 0 agree" in found.output


def test_machines_are_told_runs_and_agreement(harness: Harness, both: Path) -> None:
    """An object with both; the simulated run is identified by the digest of its trace."""
    document = json.loads(harness("run", both, "--world", "both", "--json").stdout)

    assert [(run["world"], run["outcome"]) for run in document["runs"]] == [("sim", "pass"), ("real", "pass")]
    assert document["agreement"] == [
        {
            "scenario": "short",
            "seed": 3,
            "outcomes": {"real": "pass", "sim": "pass"},
            "agree": True,
            "differences": [],
        }
    ]
    assert len(document["runs"][0]["simulation"]["digest"]) == 32
    assert document["runs"][1]["simulation"] is None


def test_worlds_that_differ_fail(harness: Harness, both: Path, fake_installed: FakeDriver) -> None:
    """A check that fails in one world only is named, and the exit code is that of a failure."""
    fake_installed.script["audit"] = orphans([4711])

    found = harness("run", both, "--world", "both", "-q")

    assert found.exit_code == 1
    assert "DIFFER" in found.output
    assert "finally no-orphan-process: real pass, sim fail" in found.output


def test_twenty_minutes_take_a_moment(harness: Harness, both: Path, reports: Path) -> None:
    """Time is virtual: the manifest says how much of it passed."""
    long = both.read_text("utf-8").replace("100/s, for: 50ms", "1/s, for: 20m").replace("run: 5s", "run: 1h")
    both.write_text(long, "utf-8")
    begin = time.monotonic()

    assert harness("run", both, "--world", "sim", "-q").exit_code == 0

    assert time.monotonic() - begin < 60
    (folder,) = reports.iterdir()
    simulation = json.loads((folder / "manifest.json").read_text("utf-8"))["simulation"]
    assert 1199 <= simulation["elapsed"] < 1300


def test_what_repeats_itself_is_called_deterministic(harness: Harness, both: Path, reports: Path) -> None:
    """Both plays have one trace and one history, although their folders have different names; one folder is left."""
    found = harness("run", both, "--world", "sim", "--check-determinism", "-q")

    assert found.exit_code == 0
    assert "deterministic" in found.output
    (folder,) = reports.iterdir()
    assert not (folder / "again").exists()


def test_what_does_not_repeat_itself_is_shown_with_its_first_different_record(
    harness: Harness, both: Path, fake_installed: FakeDriver, reports: Path
) -> None:
    """The code is that of broken determinism whatever the verdict is; the second run is kept to look at."""
    fake_installed.script["audit"] = orphans([1, 2])

    found = harness("run", both, "--world", "sim", "--check-determinism", "-q")

    assert found.exit_code == 7
    assert "NONDETERMINISTIC" in found.output
    assert "one run: {" in found.output
    assert "the other: {" in found.output
    (folder,) = reports.iterdir()
    assert (folder / "again" / "history.jsonl").is_file()


def test_the_first_different_event_is_shown_with_both_stacks(
    harness: Harness, both: Path, fake_installed: FakeDriver
) -> None:
    """Where the traces part, each side says which lines of the program it came from."""
    waits = [0.5, 0.25]

    async def wait() -> None:
        time.sleep(waits.pop() if waits else 0.25)  # noqa: ASYNC251 - so that no other event comes first

    fake_installed.script["start"] = wait
    found = harness("run", both, "--world", "sim", "--check-determinism", "-q")

    assert found.exit_code == 7
    assert "the runs differ first at event" in found.output
    assert found.output.count(f"{Path(__file__).name}:") >= 2
    assert " in wait" in found.output


def test_only_simulated_runs_can_be_held_against_themselves(harness: Harness, short: Path) -> None:
    """A real run never repeats itself: nothing is run, and the way out is told."""
    found = harness("run", short, "--check-determinism")

    assert found.exit_code == 2
    assert "--world sim" in found.stderr


def test_a_stored_run_is_replayed(harness: Harness, stored: Path) -> None:
    """Byte for byte, and from its folder alone: scenario file and present settings do not matter."""
    moved = stored.parent / "moved"
    stored.rename(moved)
    for file in stored.parents[1].glob("*.yaml"):
        file.unlink()

    found = harness("replay", moved)

    assert found.exit_code == 0
    records = len((moved / "history.jsonl").read_bytes().splitlines()) - 1
    digest = json.loads((moved / "simulation.json").read_text("utf-8"))["digest"]
    assert f"identical: {records} records, digest {digest}" in found.output


def test_a_run_that_failed_fails_again(
    harness: Harness, both: Path, fake_installed: FakeDriver, reports: Path
) -> None:
    """An identical replay ends as the run did, with its overrides: they are in the manifest."""
    fake_installed.script["audit"] = orphans([5, 5])
    assert harness("run", both, "--world", "sim", "-q", "--set", "workload.0.for=70ms").exit_code == 1
    (folder,) = reports.iterdir()

    found = harness("replay", folder)

    assert found.exit_code == 1
    assert "identical: " in found.output


def test_a_replay_that_differs_shows_where(harness: Harness, stored: Path) -> None:
    """The first different record of both, and what has changed since; machines are told the same."""
    path = stored / "history.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    lines[4] = lines[4].replace('"at":', '"at":9')
    path.write_text("".join(lines), "utf-8")

    found = harness("replay", stored)
    document = json.loads(harness("replay", stored, "--json").stdout)

    assert found.exit_code == 7
    assert "DIFFERENT: the histories differ first at record 4:" in found.output
    assert '"at":9' in found.output
    assert "no version has changed since" in found.output
    assert (document["exit_code"], document["repeated"]["same"]) == (7, False)


def test_equal_histories_of_different_traces_are_told(harness: Harness, stored: Path) -> None:
    """A digest says more than the records do: both identities are shown."""
    record = json.loads((stored / "simulation.json").read_text("utf-8"))
    (stored / "simulation.json").write_text(json.dumps({**record, "digest": "0" * 32}), "utf-8")

    found = harness("replay", stored)

    assert found.exit_code == 7
    assert "the histories are equal, but not all that happened" in found.output
    assert f"stored: digest {'0' * 32}" in found.output


def test_a_tape_that_does_not_fit_is_told(
    harness: Harness, both: Path, fake_installed: FakeDriver, reports: Path
) -> None:
    """The position, what the tape holds and what was asked for."""

    async def race() -> None:
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.01) for _ in range(4)))

    fake_installed.script["start"] = race
    assert harness("run", both, "--world", "sim", "-q").exit_code == 0
    (folder,) = reports.iterdir()
    head, first, *rest = (folder / "tape.jsonl").read_text("utf-8").splitlines(keepends=True)
    stream, _, label, value = json.loads(first)
    (folder / "tape.jsonl").write_text("".join([head, json.dumps([stream, 99, label, value]) + "\n", *rest]), "utf-8")

    found = harness("replay", folder)

    assert found.exit_code == 7
    assert "choice 0: the tape holds " in found.output
    assert " of 99, the run asked for " in found.output


def test_a_real_run_is_not_replayed(harness: Harness, both: Path, reports: Path) -> None:
    """It is refused with the line that runs it again."""
    assert harness("run", both, "--world", "real", "-q").exit_code == 0
    (folder,) = reports.iterdir()

    found = harness("replay", folder)

    assert found.exit_code == 2
    assert "real world" in found.stderr
    assert f"harness run {both} --world real --seed 3" in found.stderr


def test_a_run_that_was_cut_off_is_not_replayed(harness: Harness, stored: Path) -> None:
    """Without a tape there is only its seed."""
    (stored / "tape.jsonl").unlink()

    found = harness("replay", stored)

    assert found.exit_code == 2
    assert "no tape.jsonl" in found.stderr
    assert "--world sim --seed 3" in found.stderr


def test_a_folder_of_no_run_is_refused(harness: Harness, tmp_path: Path) -> None:
    """As every command does that takes one."""
    assert harness("replay", tmp_path / "nothing").exit_code == 2


def test_a_stored_run_is_judged_again_like_any_other(harness: Harness, stored: Path) -> None:
    """`harness report` needs no world; digest and how to replay it are still told."""
    shutil.rmtree(stored / "logs")

    found = harness("report", stored)

    assert found.exit_code == 0
    assert "digest" in found.output


def test_the_boundary_is_listed(harness: Harness) -> None:
    """What is simulated, fenced and passed, each with the reason."""
    rows = {row["name"]: row for row in json.loads(harness("boundary", "--json").stdout)}

    assert rows["time.sleep"]["how"] == "simulated"
    assert {row["how"] for row in rows.values()} == {"simulated", "fenced", "passed"}
    assert all(row["why"] for row in rows.values())
    assert "time.sleep" in harness("boundary").output


STEPS = 2_000
"""Without time passing, of a world here; by default a hundred times as many."""


def test_a_world_that_comes_to_its_end_is_a_verdict(
    harness: Harness, both: Path, fake_installed: FakeDriver, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that never let time pass fail the run, which is torn down, reported, and replayed like any other.

    A loop alone that polls would be let wait, until the limit of the set-up.
    """
    monkeypatch.setattr(sim, "World", functools.partial(sim.World, livelock=STEPS))

    def hand_over(mine: Queue[None], other: Queue[None]) -> None:
        while True:
            other.put(mine.get())

    async def spin() -> None:
        one, two = Queue[None](), Queue[None]()
        for queues in ((one, two), (two, one)):
            threading.Thread(target=hand_over, args=queues, daemon=True).start()
        one.put(None)
        await asyncio.sleep(1)

    fake_installed.script["start"] = spin

    found = harness("run", both, "--world", "sim", "-q")

    assert found.exit_code == 1
    assert "FAIL" in found.output
    assert "Livelock: at 0.000000 s 2000 steps were made without time passing" in found.output
    assert "close" in fake_installed.told
    (folder,) = reports.iterdir()
    replayed = harness("replay", folder)
    assert replayed.exit_code == 1
    assert "identical: " in replayed.output
