"""Tests of the view of a run that goes on."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING

import pytest

from harness.history.recorder import Recorder
from harness.history.records import Edge, Operation, Phase, PhaseName, Status
from harness.report.console import plain
from harness.report.live import LiveView
from harness.report.livestate import LiveState

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError("nobody reads")


@pytest.fixture
def colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that wants colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def _call(end: float, took: float, status: Status = Status.OK) -> Operation:
    return Operation(
        at=end,
        id=0,
        workload="w",
        op="o",
        place="p",
        intended=end - took,
        start=end - took,
        end=end,
        status=status,
    )


def test_a_glance_counts_what_was_fed(chaos_run: Run) -> None:
    """In the middle of the locked store: counts so far, faults under way, samples as they are."""
    state = LiveState()
    for record in chaos_run.history.records:
        if record.at <= 79.0:
            state.feed(record)

    glance = state.glance(79.0)

    assert (glance.phase, glance.since) == (PhaseName.RUN, 0.0)
    assert (glance.ok, glance.fail, glance.info, glance.dropped) == (912, 0, 0, 0)
    assert (glance.injected, glance.armed) == (("busy store",), ("mute",))
    assert glance.samples["registered-handlers"] == 5.0


def test_rate_and_latency_forget() -> None:
    """Rate and p99 are those of the last ten seconds, of failures only the rate."""
    state = LiveState()
    state.feed(Phase(at=0.0, name=PhaseName.RUN, edge=Edge.BEGIN))
    for n in range(100):
        state.feed(_call(1.0 + n / 100, 5.0))
    for n in range(50):
        state.feed(_call(20.0 + n / 10, 0.25 if n % 2 else 9.0, Status.OK if n % 2 else Status.FAIL))

    glance = state.glance(25.0)

    assert (glance.rate, glance.p99, glance.ok, glance.fail) == (5.0, 0.25, 125, 25)
    assert state.glance(1000.0).p99 is None


def test_a_rate_beyond_memory_is_still_right() -> None:
    """At 5,000 calls a second more end in ten seconds than are remembered; the rate is still right."""
    state = LiveState()
    for n in range(40_000):
        state.feed(_call(n / 5000, 0.001))

    assert state.glance(8.0).rate == pytest.approx(5000, rel=0.01)


def test_the_view_says_where_the_run_stands(chaos_run: Run) -> None:
    """Phase with time and limit, calls, target, faults: a line each."""
    view = LiveView("chaos.x", clock=lambda: 79.0, limits={PhaseName.RUN: 120.0}, file=io.StringIO())
    for record in chaos_run.history.records:
        if record.at <= 79.0:
            view.feed(record)

    lines = plain(view.lines()).splitlines()

    assert lines[0].startswith("chaos.x  run ")
    assert lines[0].endswith("1:19 of at most 2:00")
    assert lines[1].startswith("  calls   912 ok  ")
    assert re.fullmatch(r"  target  registered-handlers 5  backlog 3[6-9]", lines[2])
    assert lines[3] == "  faults  busy store  armed: mute"


def test_the_bar_goes_towards_the_planned_end() -> None:
    """A load of 20 s is half done after 10 s, however long the run may take at most; other phases have limits."""
    limits = {PhaseName.RUN: 600.0, PhaseName.SETTLE: 20.0}
    view = LiveView("x", clock=lambda: 10.0, limits=limits, planned=20.0, file=io.StringIO())
    view.feed(Phase(at=0.0, name=PhaseName.RUN, edge=Edge.BEGIN))

    assert view.lines()[0][2:] == [("━" * 12, "cyan"), ("━" * 12, "dim"), (" 0:10 of about 0:20", "dim")]
    view.feed(Phase(at=5.0, name=PhaseName.SETTLE, edge=Edge.BEGIN))
    assert view.lines()[0][-1] == (" 0:05 of at most 0:20", "dim")


def test_without_a_terminal_each_phase_is_a_line(chaos_run: Run) -> None:
    """A log of a build gets one line a phase with the calls so far."""
    file = io.StringIO()
    with LiveView("chaos.x", clock=lambda: 0.0, file=file) as view:
        for record in chaos_run.history.records:
            view.feed(record)

    assert file.getvalue().splitlines() == [
        "chaos.x: setup",
        "chaos.x: steady",
        "chaos.x: run",
        "chaos.x: settle (1,404 ok, 36 in doubt, 4 dropped)",
        "chaos.x: teardown (1,404 ok, 36 in doubt, 4 dropped)",
    ]


def test_quiet_shows_nothing(chaos_run: Run) -> None:
    """With quiet, neither phases nor pictures."""
    file = io.StringIO()
    with LiveView("x", clock=lambda: 0.0, file=file, quiet=True) as view:
        for record in chaos_run.history.records:
            view.feed(record)

    assert file.getvalue() == ""


@pytest.mark.usefixtures("colour")
def test_on_a_terminal_the_picture_moves_and_goes_away(chaos_run: Run) -> None:
    """The view draws on its own while records come, and clears what it drew."""
    file = _Terminal()
    with LiveView("chaos.x", clock=lambda: 50.0, file=file) as view:
        for record in chaos_run.history.records[:2000]:
            view.feed(record)
        deadline = time.monotonic() + 10
        while "armed" not in file.getvalue():
            assert time.monotonic() < deadline, (
                f"waited 10 s for a picture with armed faults, saw {file.getvalue()!r}"
            )
            time.sleep(0.02)

    assert file.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


def test_a_broken_view_does_not_break_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """When nobody reads any more, the recorder goes on recording; the view says once that it is off."""
    recorder = Recorder()
    with LiveView("x", clock=recorder.now, file=_Broken()) as view:
        recorder.subscribe(view.feed)
        recorder.begin_run()
        for name in PhaseName:
            recorder.append(Phase(at=recorder.now(), name=name, edge=Edge.BEGIN))

    assert len(recorder.close().of(Phase)) == 5
    assert [r.message for r in caplog.records] == ["the live view failed and is off; the run goes on"]


@pytest.mark.usefixtures("colour")
def test_a_clock_that_fails_does_not_break_the_picture(caplog: pytest.LogCaptureFixture) -> None:
    """The picture is drawn in another thread; what fails there ends the view alone."""

    def clock() -> float:
        raise RuntimeError("no time")

    with LiveView("x", clock=clock, file=_Terminal()) as view:
        view.feed(_call(1.0, 0.1))

    assert [r.message for r in caplog.records] == ["the live view failed and is off; the run goes on"]


def test_setup_times_may_jump_back() -> None:
    """Before scenario time 0 is known, times are provisional: an age is never negative."""
    view = LiveView("x", clock=lambda: -3.0, file=io.StringIO())
    view.feed(Phase(at=12.0, name=PhaseName.SETUP, edge=Edge.BEGIN))

    assert plain(view.lines()) == "x  setup     0:00\n"
