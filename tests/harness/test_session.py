"""Runs as `harness run` plays them, with real processes: interrupted at any phase they end with 130 and leave
nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from harness import session
from harness.checks.verdict import Outcome
from harness.errors import ScenarioError, UsageError
from harness.scenario.dump import dump
from harness.scenario.loader import load_text
from harness.scenario.model import World
from harness.vocabulary import build

if TYPE_CHECKING:
    from harness.history.recorder import Recorder
    from harness.report.folder import RunFolder
    from harness.scenario.model import Scenario
    from harness.session import PlannedRun
    from tests.harness.conftest import FakeDriver

LONG = """\
scenario: 1
name: long
kind: load
worlds: [real]
seed: 1
limits: {setup: 30s, run: 60s, settle: 20s, teardown: 20s}
target: {driver: schedule_zero}
topology: {handlers: {name: h1}}
workload:
  - {id: slow, op: job.submit, with: {handler: h1, method: sleep, params: {seconds: 4}}, model: once, count: 1}
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 10/s, for: LENGTH}
checks: {always: [no-lost-job], finally: [no-orphan-process]}
"""


class Playing:
    """`harness run` in a process of its own, seen from outside through its report folder and the process table."""

    def __init__(self, folder: Path, length: str, *words: str) -> None:
        self._reports = folder / "reports"
        file = folder / "long.yaml"
        file.write_text(LONG.replace("LENGTH", length), "utf-8")
        # Short, since the agents' sockets lie below it; of the test's own, to see that nothing is left in it.
        self.temporary = Path(tempfile.mkdtemp(prefix="hi-", dir="/tmp"))
        command = [sys.executable, "-m", "harness", "run", str(file), "--report", str(self._reports), *words]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def folder(self) -> Path | None:
        """The run's folder, once there is one."""
        return next(iter(self._reports.iterdir()), None) if self._reports.is_dir() else None

    def reached(self, phase: str) -> bool:
        """Whether the run is in this phase. The history is not written before the run begins: setup is when the
        governor lives.
        """
        folder = self.folder()
        if folder is None:
            return False
        if phase == "setup":
            return (folder / "logs" / "governor.log").exists()
        history = folder / "history.jsonl"
        text = history.read_text("utf-8") if history.exists() else ""
        return any(
            line["type"] == "phase" and line["name"] == phase and line["edge"] == "begin"
            for line in map(json.loads, text.split("\n")[:-1])
        )

    def await_phase(self, phase: str) -> None:
        """Return when the run is in this phase."""
        deadline = time.monotonic() + 40.0
        while not self.reached(phase):
            assert self.process.poll() is None, f"ended before {phase}: {self.process.communicate()[0]}"
            assert time.monotonic() < deadline, f"{phase} was not reached in 40 s"
            time.sleep(0.01)

    def family(self) -> list[str]:
        """The command lines of all living processes that carry the tag of this run."""
        found = []
        for process in psutil.process_iter():
            try:
                tag = process.environ().get("HARNESS_RUN", "")
                if tag.endswith(f"-{self.process.pid}") and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found

    def ports(self) -> list[int]:
        """The ports that the deployment told."""
        folder = self.folder()
        told = list(folder.rglob("governor.json")) if folder else []
        addresses = [json.loads(path.read_text("utf-8")) for path in told]
        return [
            int(str(a[key]).rpartition(":")[2])
            for a in addresses
            for key in ("http_url", "registration_address")
            if a.get(key)
        ]

    def close(self) -> None:
        """End whatever a failed test left."""
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process.wait()
        shutil.rmtree(self.temporary, ignore_errors=True)


@pytest.fixture
def playing(tmp_path: Path, ctrl_c_heard: None) -> Iterator[Callable[..., Playing]]:
    """Starts runs; whatever is left of them ends with the test."""
    begun: list[Playing] = []

    def start(length: str, *words: str) -> Playing:
        begun.append(Playing(tmp_path, length, *words))
        return begun[-1]

    yield start
    for one in begun:
        one.close()


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "length", "signals"),
    [
        ("setup", "30s", [signal.SIGINT]),
        ("setup", "30s", [signal.SIGINT, signal.SIGINT]),
        ("run", "30s", [signal.SIGINT]),
        ("run", "30s", [signal.SIGINT, signal.SIGINT]),
        ("run", "30s", [signal.SIGTERM]),
        pytest.param("run", "30s", [signal.SIGHUP], marks=pytest.mark.thorough),
        ("settle", "200ms", [signal.SIGINT]),
        pytest.param("settle", "200ms", [signal.SIGINT, signal.SIGINT], marks=pytest.mark.thorough),
        ("teardown", "200ms", [signal.SIGINT]),
        pytest.param("teardown", "200ms", [signal.SIGINT, signal.SIGINT], marks=pytest.mark.thorough),
    ],
    ids=lambda value: "+".join(s.name for s in value) if isinstance(value, list) else value,
)
def test_an_interrupt_at_any_phase_leaves_nothing_behind(
    playing: Callable[..., Playing], phase: str, length: str, signals: list[signal.Signals]
) -> None:
    """Exit 130, a written report whose verdict is interrupted, no process, no port, no temporary folder, no
    traceback.
    """
    words = ["--set", "limits.settle=300ms"] if phase == "teardown" else []
    run = playing(length, *words)
    run.await_phase(phase)

    for number in signals:
        run.process.send_signal(number)
        time.sleep(0.15)  # two keystrokes of an impatient person, not a wait for anything
    output, _ = run.process.communicate(timeout=40.0)

    assert run.process.returncode == 130, output
    assert "Traceback" not in output
    folder = run.folder()
    assert folder is not None
    assert json.loads((folder / "verdict.json").read_text("utf-8"))["outcome"] == "interrupted"
    assert (folder / "report.html").is_file()
    assert run.family() == []
    assert list(run.temporary.glob("hx-*")) == []
    for port in run.ports():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"somebody still listens on {port}"


@pytest.mark.integration
def test_an_interrupt_ends_parallel_runs_and_begins_no_other(playing: Callable[..., Playing]) -> None:
    """Two play, one waits: all are told once, both tear down, the third is never begun."""
    run = playing("30s", "-n", "2", "--seeds", "1..3")
    deadline = time.monotonic() + 40.0
    histories: list[Path] = []
    while len(histories) < 2 and time.monotonic() < deadline:
        histories = list(run._reports.glob("*/history.jsonl"))
        time.sleep(0.02)

    run.process.send_signal(signal.SIGINT)
    output, _ = run.process.communicate(timeout=40.0)

    assert run.process.returncode == 130, output
    verdicts = [json.loads(p.read_text("utf-8"))["outcome"] for p in run._reports.glob("*/verdict.json")]
    assert verdicts == ["interrupted", "interrupted"]
    assert list(run.temporary.glob("hx-*")) == []


# -- files and plans -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scenario files among others: one in a subfolder, one long, the catalogue, a golden record."""
    text = LONG.replace("LENGTH", "1s")
    for name in ("b.yaml", "a.yml", "deep/c.yaml", "long/d.yaml", "golden/e.yaml", "catalog.yaml", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("name: long", f"name: {path.stem}"), "utf-8")
    return tmp_path


@pytest.mark.unit
def test_folders_are_searched_and_files_taken_as_they_are(folder: Path) -> None:
    """Long variants, golden records and the catalogue are no scenarios of a folder; a file that is named is
    always taken.
    """

    def names(*paths: Path) -> list[str]:
        return [path.name for path in session.find_files(paths)]

    assert names(folder) == ["a.yml", "b.yaml", "c.yaml"]
    assert names(folder / "long" / "d.yaml") == ["d.yaml"]
    assert names(folder / "long") == ["d.yaml"]
    assert names(folder / "b.yaml", folder) == ["b.yaml", "a.yml", "c.yaml"]


@pytest.mark.unit
def test_a_run_can_be_said_again_in_one_line(folder: Path) -> None:
    """With its seed, its world and its settings, quoted for the shell."""
    (planned,) = session.plan(
        [folder / "b.yaml"], seeds=[7], overrides=["workload.1.for=2s", "checks.always=[no-lost-job]"]
    )

    assert planned.again == (
        f"harness run {folder}/b.yaml --world real --seed 7 --set workload.1.for=2s --set "
        "'checks.always=[no-lost-job]'"
    )


@pytest.mark.unit
def test_the_plan_has_a_run_for_every_file_and_seed(folder: Path) -> None:
    """In the order of files, then of seeds; `only` picks one scenario."""

    def order(runs: list[PlannedRun]) -> list[tuple[str, int]]:
        return [(run.loaded.scenario.name, run.seed) for run in runs]

    assert order(session.plan([folder], seeds=[1, 2])) == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
        ("c", 1),
        ("c", 2),
    ]
    assert order(session.plan([folder], only="c")) == [("c", 1)]


@pytest.mark.unit
def test_all_problems_of_all_files_are_told_at_once(folder: Path) -> None:
    """One error names every wrong file, so that a person mends them in one go."""
    for name in ("a.yml", "b.yaml"):
        path = folder / name
        path.write_text(path.read_text("utf-8").replace("kind: load", "kind: lod"), "utf-8")

    with pytest.raises(ScenarioError) as raised:
        session.load_all(session.find_files([folder]), build())

    assert "a.yml:3:7" in str(raised.value)
    assert "b.yaml:3:7" in str(raised.value)


@pytest.mark.unit
def test_an_unknown_mutant_is_refused_with_those_there_are(folder: Path) -> None:
    """Before anything is played."""
    with pytest.raises(
        UsageError, match=r"there is no mutant 'nonsense' of schedule_zero; there are: .*never-retried"
    ):
        session.plan([folder / "b.yaml"], mutant="nonsense")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        ([], Outcome.PASS),
        ([Outcome.PASS, Outcome.UNKNOWN], Outcome.UNKNOWN),
        ([Outcome.UNKNOWN, Outcome.FAIL, Outcome.PASS], Outcome.FAIL),
        ([Outcome.FAIL, Outcome.UNSTEADY], Outcome.UNSTEADY),
        ([Outcome.UNSTEADY, Outcome.ERROR], Outcome.ERROR),
        ([Outcome.ERROR, Outcome.INTERRUPTED, Outcome.ABORTED], Outcome.INTERRUPTED),
    ],
)
def test_the_worst_outcome_decides_the_exit_code(outcomes: list[Outcome], worst: Outcome) -> None:
    """What proves least comes first."""
    assert session.worst(outcomes) is worst


# -- one run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(driver: FakeDriver, short: Callable[..., Scenario], monkeypatch: pytest.MonkeyPatch) -> PlannedRun:
    """A run of a moment on the fake driver."""
    monkeypatch.setattr(session, "drivers", lambda: {"fake": driver})
    (loaded,) = load_text(dump(short(), full=True), "short.yaml")
    return session.PlannedRun(loaded, 1, World.REAL)


@pytest.mark.unit
def test_a_run_can_be_told_from_its_folder_before_it_begins(planned: PlannedRun, tmp_path: Path) -> None:
    """Scenario and manifest are written first: a harness that is killed leaves what `harness report` needs."""
    seen: list[tuple[str, int, str]] = []

    def look(planned: PlannedRun, folder: RunFolder, recorder: Recorder) -> None:
        stored = folder.read()
        (loaded,) = load_text(folder.scenario.read_text("utf-8"))
        seen.append((loaded.scenario.name, stored.manifest.seed, stored.manifest.ended))

    finished = session.Session(tmp_path, on_start=look).play(planned)

    assert seen == [("short", 1, "")]
    assert finished.folder.read().manifest.ended != ""


@pytest.mark.unit
@pytest.mark.parametrize("early", [True, False], ids=["before it began", "in its midst"])
def test_a_session_can_be_interrupted_from_any_thread(
    planned: PlannedRun, driver: FakeDriver, tmp_path: Path, early: bool
) -> None:
    """The run is torn down and its verdict written, as after Ctrl-C; before it began, nothing is started at all."""
    one = session.Session(tmp_path)

    async def answer() -> None:
        await asyncio.to_thread(one.interrupt)

    if early:
        one.interrupt()
    else:
        driver.script["call"] = answer
    finished = one.play(planned)

    assert (finished.verdict.outcome, one.interrupted) == (Outcome.INTERRUPTED, True)
    assert json.loads(finished.folder.verdict.read_text("utf-8"))["outcome"] == "interrupted"
    assert driver.told[-1:] == ([] if early else ["close"])
