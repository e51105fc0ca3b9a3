"""Simulated runs under real signals, and in folders of any name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import oneplace
from harness.checks.verdict import Outcome, Verdict
from harness.errors import HarnessError
from harness.report.folder import RunFolder
from harness.sim import World

pytestmark = [pytest.mark.integration, pytest.mark.sim]

PROGRAM = """\
import asyncio, runpy, signal, sys, threading, time, types

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have ignored it
conftest = types.SimpleNamespace(**runpy.run_path({conftest!r}))
from harness.scenario.model import World
from harness.targets import registry

class Both(conftest.FakeDriver):
    worlds = (World.REAL, World.SIM)

driver = Both()
known = {{"fake": driver}}
from harness import planning, session, vocabulary
for module in (planning, session, vocabulary):
    module.drivers = lambda: known

async def spin():
    print("spinning", flush=True)
    while True:
        pass

if "spin" in sys.argv:
    driver.script["start"] = spin
real = (time.sleep, time.monotonic, threading.Lock, signal.signal, asyncio.new_event_loop)
from harness.cli import main
try:
    main(["run", "long.yaml", "--world", "sim", "--report", "reports"])
finally:
    now = (time.sleep, time.monotonic, threading.Lock, signal.signal, asyncio.new_event_loop)
    print("restored" if now == real and threading.active_count() == 1 else "NOT RESTORED", flush=True)
"""

LONG = """\
scenario: 1
name: long
kind: load
worlds: [sim]
seed: 3
limits: {setup: 5s, run: 2000h, settle: 2s, teardown: 2s}
target: {driver: fake}
topology: {handlers: {name: h1}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 10/s, for: 1000h}
checks: {always: [no-lost-job], finally: [no-orphan-process]}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `harness run` of a simulated run that would take hours, in a process of its own."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(conftest=str(Path(__file__).with_name("conftest.py"))), "utf-8")
    (tmp_path / "long.yaml").write_text(LONG, "utf-8")
    begun: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(program), *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], what: str, limit: float = 40.0) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit:g} s for {what}"
        time.sleep(0.02)


def grown(folder: Path) -> bool:
    """Whether a run below `folder` has begun and recorded something of its load."""
    return any(path.stat().st_size > 20_000 for path in folder.glob("*/history.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_simulated_run_in_good_order(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    """Healed and torn down in virtual time, judged, reported: code 130; every patch is undone, no thread is left."""
    process = start()
    wait_for(lambda: grown(tmp_path / "reports"), "the load to go on")

    process.send_signal(number)
    said = process.communicate(timeout=40)[0]

    assert process.returncode == 130, said
    assert said.endswith("restored\n")
    assert "INTERRUPTED" in said
    assert "harness replay" not in said
    (folder,) = (RunFolder(path) for path in (tmp_path / "reports").iterdir())
    assert folder.read().verdict is not None
    assert folder.tape.is_file()
    assert not (folder.path / oneplace.TEMPORARY).exists()


def test_a_second_signal_ends_what_computes_for_ever(start: Callable[..., subprocess.Popen[str]]) -> None:
    """The first one cannot be heard by a loop that never yields; the second ends it where it stands."""
    process = start("spin")
    assert process.stdout is not None
    wait_for(lambda: process.stdout is not None and process.stdout.readline() == "spinning\n", "the loop")

    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=40)[0]

    assert process.returncode == 130, said
    assert said.endswith("restored\n")


def test_a_folder_has_one_name_inside_the_world(tmp_path: Path) -> None:
    """Whatever it is called outside; also for who resolves links, and for temporary files."""
    names = []
    for name in ("one", "another-and-longer"):
        folder = tmp_path / name
        folder.mkdir()
        with oneplace.OnePlace(folder) as place, World(seed=1, parts=(place,)):
            path = place.path / "x"
            path.write_text(name, "utf-8")
            with tempfile.TemporaryDirectory() as temporary:
                names.append((str(path), str(path.resolve()), os.path.realpath(folder / "x"), temporary))
        assert (folder / "x").read_text("utf-8") == name
        assert sorted(found.name for found in folder.iterdir()) == ["x"]
        assert path.parent.exists() is False

    assert names[0] == names[1]
    assert names[0][:3] == (f"{oneplace.NAME}/x",) * 3
    assert names[0][3].startswith(f"{oneplace.NAME}/tmp/")


def test_two_runs_in_one_process_do_not_share_the_name(tmp_path: Path) -> None:
    """The second is refused, and the first keeps its folder."""
    with oneplace.OnePlace(tmp_path) as place:
        with pytest.raises(HarnessError, match=r"977.* is in use"), oneplace.OnePlace(tmp_path):
            pass
        assert place.path.samefile(tmp_path)
    with pytest.raises(OSError, match=r"."):
        os.fstat(oneplace.NUMBER)


def test_readers_outside_are_told_paths_within_the_folder() -> None:
    """A verdict's texts name files from the run's folder on."""
    reason = f"see {oneplace.NAME}/logs/h1.log"
    verdict = Verdict(
        scenario="x", seed=1, world="sim", outcome=Outcome.ERROR, reason=reason, checks=(), duration=0.0
    )

    assert oneplace.told(verdict).reason == "see logs/h1.log"
