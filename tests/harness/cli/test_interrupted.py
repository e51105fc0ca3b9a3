"""Several runs of which an interrupt has kept some from their end: each file says how far it came."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import playing, session
from harness.errors import ExitCode
from harness.playing import How, run_all
from harness.report.folder import RunFolder

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("ctrl_c_heard")]


@pytest.fixture
def three(fake_installed: FakeDriver, short: Path, tmp_path: Path) -> list[Path]:
    """Three scenario files; the second start of a target is when Ctrl-C is pressed."""
    files = [tmp_path / "scenarios" / f"{name}.yaml" for name in ("a", "b", "c")]
    files[0].parent.mkdir()
    for file in files:
        file.write_text(short.read_text("utf-8").replace("name: short", f"name: {file.stem}"), "utf-8")
    starts = []

    async def start() -> None:
        starts.append(1)
        if len(starts) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    fake_installed.script["start"] = start
    return files


def test_the_summary_says_of_each_file_how_far_it_came(
    three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first is finished, the second cut short, the third was not begun."""
    code = run_all(session.plan(three), tmp_path / "reports", How(quiet=True))

    assert code is ExitCode.INTERRUPTED
    told = capsys.readouterr().out.splitlines()
    begin = next(number for number, line in enumerate(told) if line.startswith("2 runs:"))
    assert [line.split("  ") for line in told[begin + 1 :]] == [
        ["", str(three[0]), "finished"],
        ["", str(three[1]), "cut short"],
        ["", str(three[2]), "not begun"],
    ]


def test_a_file_of_several_seeds_names_those_that_are_missing(
    three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is finished is counted; what is not is named, so that it can be run later."""
    run_all(session.plan(three[:1], seeds=[5, 6, 7, 8]), tmp_path / "reports", How(quiet=True))

    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"  {three[0]}  1 finished, 1 cut short (real: seed 6), 2 not begun (real: seeds 7, 8)"


def test_machines_are_told_of_runs_that_were_not_begun(
    three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document for each planned run, all with the same keys; `state` says how far it came."""
    run_all(session.plan(three), tmp_path / "reports", How(as_json=True, quiet=True))

    documents = json.loads(capsys.readouterr().out)
    assert [(one["scenario"], one["state"], one["outcome"], one["exit_code"]) for one in documents] == [
        ("a", "finished", "pass", 0),
        ("b", "cut short", "interrupted", 130),
        ("c", "not begun", "interrupted", 130),
    ]
    assert [one["report"] is None for one in documents] == [False, False, True]
    assert documents[2]["again"] == f"harness run {three[2]} --world real --seed 3"
    assert documents[2].keys() == documents[0].keys()


@pytest.mark.parametrize(
    ("owner", "name"), [(RunFolder, "create"), (playing._Shown, "__enter__")], ids=["its folder", "what is seen of it"]
)
def test_a_signal_that_comes_before_a_run_heeds_signals_is_not_lost(
    three: list[Path],
    fake_installed: FakeDriver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
) -> None:
    """The run of which something is being made ends as soon as it begins, and all is told: no bare `interrupted`."""
    really, made = getattr(owner, name), []

    def make(*args: Any) -> Any:
        made.append(1)
        if len(made) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return really(*args)

    monkeypatch.setattr(owner, name, make)
    del fake_installed.script["start"]  # nothing else interrupts

    code = run_all(session.plan(three), tmp_path / "reports", How(quiet=True))

    assert code is ExitCode.INTERRUPTED
    assert [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()[-3:]] == [
        "finished",
        "cut short",
        "not begun",
    ]
