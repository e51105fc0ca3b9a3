"""Tests of the manifest."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.report.manifest import Manifest, Setting, build, commit


def test_a_manifest_is_read_back_equal(tmp_path: Path, started: datetime) -> None:
    """What was written is read back, field by field."""
    made = build(
        scenario="load.x",
        world="real",
        seed=7,
        command=["harness", "run"],
        started=started,
        settings={"seed": Setting(value=7, source="command line")},
        source="scenario: 1\n",
    )

    made.write(tmp_path / "manifest.json")

    assert Manifest.read(tmp_path / "manifest.json") == made
    assert json.loads((tmp_path / "manifest.json").read_text())["settings"]["seed"] == {
        "value": 7,
        "source": "command line",
    }


def test_it_names_versions_but_not_the_machine(started: datetime) -> None:
    """Versions of Python, pyzmq and libzmq are kept; the name of the machine is not."""
    made = build(scenario="x", world="real", seed=0, started=started)

    assert made.versions["python"].endswith(platform.python_version())
    assert {"harness", "pyzmq", "libzmq", "apscheduler"} <= set(made.versions)
    assert made.machine.processors >= 1
    assert made.machine.memory > 10**8
    assert set(made.machine.__struct_fields__) == {"platform", "kernel", "architecture", "processors", "memory"}


def test_it_ends_with_its_duration(started: datetime) -> None:
    """The end gives the wall time the run took."""
    made = build(scenario="x", world="real", seed=0, started=started).finish(started + timedelta(seconds=12.5))

    assert (made.started, made.ended, made.duration) == (
        "2026-03-14T09:26:53.000+00:00",
        "2026-03-14T09:27:05.500+00:00",
        12.5,
    )


def test_it_begins_now_by_default() -> None:
    """Without a moment given, it starts at this one, in UTC."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    assert (
        before <= datetime.fromisoformat(build(scenario="x", world="real", seed=0).started) <= datetime.now(UTC)
    )


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "no manifest of a run"), (b'{"format": 1}', "no manifest of a run")]
)
def test_a_broken_manifest_is_a_users_mistake(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is none says which file, and what is wrong with it."""
    (tmp_path / "m.json").write_bytes(content)

    with pytest.raises(UsageError, match=said) as caught:
        Manifest.read(tmp_path / "m.json")
    assert "m.json" in str(caught.value)


def test_a_missing_manifest_is_a_users_mistake(tmp_path: Path) -> None:
    """A path that does not exist is named."""
    with pytest.raises(UsageError, match="No such file"):
        Manifest.read(tmp_path / "gone.json")


def test_a_newer_format_is_refused(tmp_path: Path, started: datetime) -> None:
    """A manifest of a later harness is not half understood."""
    build(scenario="x", world="real", seed=0, started=started).write(tmp_path / "m.json")
    (tmp_path / "m.json").write_text((tmp_path / "m.json").read_text().replace('"format": 1', '"format": 2'))

    with pytest.raises(UsageError, match="has format 2; this harness reads up to 1"):
        Manifest.read(tmp_path / "m.json")


def test_the_commit_tells_of_changes(tmp_path: Path) -> None:
    """The commit checked out is named, and that files differ from it; outside of git there is none."""

    def git(*words: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(
            ["git", *identity, "-C", str(tmp_path), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert commit(tmp_path / "nowhere") == ""
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "HEAD")

    assert commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head}+changes"
