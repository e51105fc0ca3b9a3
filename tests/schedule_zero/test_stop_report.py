"""The file that says how each service ended at the last stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.stop_report import Ending, Forced, StopReport, read_stop_report, write_stop_report

pytestmark = pytest.mark.governor


def test_a_stop_tells_who_ended_well_who_was_killed_and_who_ended_with_a_code(
    world: Any, govern: Any, echo: Any, tmp_path: Path
) -> None:
    """Of each process that ran: its exit code, whether it had to be killed, and after how long."""
    (tmp_path / "modules" / "world_handlers.py").open("a").write(
        "\nclass Sour(BaseHandler):\n    def stop(self, timeout=5.0):\n        os._exit(9)\n"
    )
    one = govern(echo("h1"), echo("deaf", "Deaf"), echo("sour", "Sour"))
    one.start()

    assert one.stop(timeout=2.0)

    report = read_stop_report(one.deployment.directory)
    assert report is not None
    assert report.pid == os.getpid()
    ends = report.services
    assert {name: (end.code, end.forced) for name, end in ends.items()} == {
        "server": (0, ""),
        "h1": (0, ""),
        "deaf": (-signal.SIGKILL, "killed"),
        "sour": (9, ""),
    }
    assert all(end.ready and not end.hurried for end in ends.values())
    assert ends["deaf"].after > 1.0


def test_what_did_not_run_when_it_was_told_to_stop_is_not_told_of(govern: Any, echo: Any, until: Any) -> None:
    """A handler that had been given up before has no part in the stop."""
    one = govern(echo("h1"), echo("dies", "Dies", max_restarts=0))
    one.start()
    until(lambda: one.status()["dies"].status == "crashed", "the handler is given up")

    one.stop()

    report = read_stop_report(one.deployment.directory)
    assert report is not None
    assert sorted(report.services) == ["h1", "server"]


@pytest.mark.unit
def test_a_report_is_read_as_it_was_written_and_nothing_else_is_one(tmp_path: Path) -> None:
    """Of a file that is missing, broken or not ours nothing is believed."""
    ends = {"h1": Ending(-9, Forced.KILLED, hurried=True, ready=False, after=0.5), "h2": Ending(0)}
    assert read_stop_report(tmp_path) is None

    write_stop_report(tmp_path, ends)
    found = read_stop_report(tmp_path)
    assert found is not None
    assert found == StopReport(os.getpid(), found.at, ends)

    assert found.services["h1"].forced is Forced.KILLED

    odd = ('{"colour": 3}', '{"code": 1, "forced": "x"}')
    told = [f'{{"pid": 1, "at": 2, "services": {{"h1": {end}}}}}' for end in odd]
    for text in ("", "[]", *told):
        (tmp_path / "stopped.json").write_text(text)
        assert read_stop_report(tmp_path) is None


@pytest.mark.unit
def test_a_report_that_cannot_be_written_is_no_reason_not_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of in the log."""
    (tmp_path / "folder").write_text("a file is in the way")

    write_stop_report(tmp_path / "folder", {})

    assert "how the stop went cannot be written" in caplog.text
