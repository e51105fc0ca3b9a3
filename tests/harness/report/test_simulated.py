"""What reports tell of a simulated run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.checks.verdict import Outcome
from harness.report.console import plain, repeated, told
from harness.report.html import render
from harness.report.jsonout import as_json
from harness.report.manifest import Manifest
from harness.report.simulated import SimRecord

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run

pytestmark = pytest.mark.unit

RECORD = SimRecord(digest="ab" * 16, events=1200, choices=34, elapsed=86_400.0)


@pytest.fixture
def manifest(chaos_run: Run) -> Manifest:
    """That of a run which took 10 s for a day."""
    return msgspec.structs.replace(chaos_run.manifest, world="sim", duration=10.0, simulation=RECORD)


def test_a_terminal_shows_digest_and_how_to_replay(chaos_run: Run, manifest: Manifest) -> None:
    """Beside the line that runs it again; not for what was interrupted, whose end is on no tape."""
    text = plain(told(chaos_run.verdict, manifest, folder=Path("reports/x")))
    cut = msgspec.structs.replace(chaos_run.verdict, outcome=Outcome.INTERRUPTED)

    assert "  replay it     harness replay reports/x\n" in text
    assert f"  digest        {'ab' * 16}, 24 h virtual time\n" in text
    assert "harness replay" not in plain(told(cut, manifest, folder=Path("reports/x")))
    assert "digest" not in plain(told(chaos_run.verdict, chaos_run.manifest, folder=Path("reports/x")))


def test_the_page_holds_virtual_time_against_the_wall(chaos_run: Run, manifest: Manifest) -> None:
    """A day in ten seconds is 8,640 times as quick; a real run says nothing of the kind."""
    page = render(chaos_run.history, chaos_run.verdict, manifest)

    assert "24 h, 8,640 times the wall" in page
    assert "ab" * 16 in page
    assert "virtual time" not in render(chaos_run.history, chaos_run.verdict, chaos_run.manifest)


def test_machines_are_told_what_identifies_the_run(chaos_run: Run, manifest: Manifest) -> None:
    """None for a real one."""
    assert as_json(chaos_run.verdict, manifest)["simulation"] == {
        "digest": "ab" * 16,
        "events": 1200,
        "choices": 34,
        "elapsed": 86_400.0,
    }
    assert as_json(chaos_run.verdict, chaos_run.manifest)["simulation"] is None


def test_the_record_is_read_back_or_missing(tmp_path: Path) -> None:
    """A file that is none is like none."""
    path = tmp_path / "simulation.json"

    assert SimRecord.read(path) is None
    path.write_bytes(b"{}")
    assert SimRecord.read(path) is None
    path.write_bytes(msgspec.json.encode(RECORD))
    assert SimRecord.read(path) == RECORD


def test_two_plays_are_told(chaos_run: Run) -> None:
    """One line when they are the same, every line of the difference when not."""
    same = {"same": True, "events": 8, "digest": "d", "records": 3, "difference": ""}

    assert plain(repeated(same)) == "  deterministic 8 events, digest d\n"
    assert plain(repeated({**same, "same": False, "difference": "they differ:\n  here"})) == (
        "  NONDETERMINISTIC  they differ:\n      here\n"
    )
