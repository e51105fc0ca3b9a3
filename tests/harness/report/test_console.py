"""Tests of what a person reads at a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.checks.evidence import Problem, conclude
from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.report.console import coloured, plain, show, summary, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.report.made_up import Run


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_failure_tells_all_one_needs(chaos_run: Run, tmp_path: Path) -> None:
    """Verdict, reason, evidence, the line of the file, the report, and the line that runs it again."""
    text = plain(told(chaos_run.verdict, chaos_run.manifest, report=tmp_path / "report.html"))
    lines = text.splitlines()

    assert lines[0] == "✕ FAIL  chaos.handlers-under-fire  real, seed 90210, 2 min scenario time, 2 min 19 s wall time"
    assert lines[1] == f"  {chaos_run.verdict.reason}"
    assert lines[2].split() == [
        "✕",
        "fail",
        "no-lost-job",
        "always",
        "1",
        "of",
        "1,404",
        "accepted",
        "jobs",
        "has",
        "no",
        "outcome",
    ]
    assert "has no outcome; h4 was killed at 30 s" in lines[3]
    assert lines[4].strip() == "scenarios/chaos/handlers-under-fire.yaml:15"
    assert lines[6] == "      >   15 |     - no-lost-job"
    assert lines[-2:] == [
        f"  run it again  {chaos_run.manifest.again}",
        f"  report        {tmp_path / 'report.html'}",
    ]


def test_a_line_of_the_file_is_quoted_once(chaos_run: Run) -> None:
    """Several checks that stand in one line of it all name it."""
    (failed, *_) = [check for check in chaos_run.verdict.checks if check.outcome is Outcome.FAIL]
    twice = tuple(msgspec.structs.replace(failed, name=name, line=15) for name in ("a", "b"))
    other = msgspec.structs.replace(failed, name="c", line=16)
    verdict = msgspec.structs.replace(chaos_run.verdict, checks=(*twice, other))

    lines = plain(told(verdict, chaos_run.manifest)).splitlines()

    assert [line.strip() for line in lines if line.strip().startswith("scenarios/chaos")] == [
        "scenarios/chaos/handlers-under-fire.yaml:15",
        "scenarios/chaos/handlers-under-fire.yaml:15",
        "scenarios/chaos/handlers-under-fire.yaml:16",
    ]
    assert [line for line in lines if line.startswith("      >   15 | ")] == ["      >   15 |     - no-lost-job"]
    assert len([line for line in lines if line.startswith("      >   16 | ")]) == 1


def test_the_worst_comes_first(chaos_run: Run) -> None:
    """Failed, unknown, known, passed: in that order, and passed ones may be left out."""
    signs = [
        line.split()[0]
        for line in plain(told(chaos_run.verdict)).splitlines()[2:]
        if line.startswith("  ") and line[2] in "✕?●✓"
    ]

    assert "".join(signs) == "✕?●✓✓✓✓"
    assert "✓" not in plain(told(chaos_run.verdict, quiet=True))


def test_who_wants_it_quiet_is_told_one_line_of_a_pass(chaos_run: Run, tmp_path: Path) -> None:
    """With the verdict's sentence in it; of a failure what failed, where, and how it is run again, and no more."""
    passed = msgspec.structs.replace(chaos_run.verdict, outcome=Outcome.PASS, reason="all 7 checks passed")
    report = tmp_path / "report.html"
    good = plain(told(passed, chaos_run.manifest, report=report, quiet=True)).splitlines()
    bad = plain(told(chaos_run.verdict, chaos_run.manifest, report=report, quiet=True)).splitlines()

    times = "2 min scenario time, 2 min 19 s wall time"
    assert good == [f"✓ PASS  chaos.handlers-under-fire  real, seed 90210, {times}  all 7 checks passed"]
    assert bad[2].split()[:3] == ["✕", "fail", "no-lost-job"]
    assert bad[-1] == f"  run it again  {chaos_run.manifest.again}"


def test_evidence_is_bounded() -> None:
    """Of a hundred offenders five are shown, and how many there are more."""
    check = CheckResult(
        name="x",
        when="always",
        outcome=Outcome.FAIL,
        samples=9,
        summary="bad",
        evidence=tuple(Evidence(text=f"e{n}") for n in range(100)),
    )
    text = plain(
        told(Verdict(scenario="s", seed=0, world="real", outcome=Outcome.FAIL, reason="r", checks=(check,)))
    )

    assert [w for w in text.split() if w[0] == "e" and w[1:].isdigit()] == ["e0", "e1", "e2", "e3", "e4"]
    assert "and 95 more" in text


def test_what_a_result_leaves_out_is_counted_too() -> None:
    """A result lists twenty problems and says how many more there were; those are more than it lists."""
    found = conclude([Problem(0, n, "late") for n in range(500)], samples=500, broken="late", good="", nothing="")
    check = CheckResult(
        name="x", when="always", outcome=found.outcome, samples=500, summary="late", evidence=found.evidence
    )
    verdict = Verdict(scenario="s", seed=0, world="real", outcome=Outcome.FAIL, reason="r", checks=(check,))

    assert "      and 495 more\n" in plain(told(verdict))


def test_a_terminal_obeys_nothing_from_a_history(chaos_run: Run) -> None:
    """Escape sequences, line breaks of other kinds and direction marks in a history reach no terminal."""
    bad = "a\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eb"
    check = CheckResult(
        name=bad,
        when="always",
        outcome=Outcome.FAIL,
        samples=1,
        summary=bad,
        evidence=(Evidence(text=bad),),
        line=1,
    )
    verdict = Verdict(scenario=bad, seed=0, world="real", outcome=Outcome.FAIL, reason=bad, checks=(check,))
    manifest = msgspec.structs.replace(chaos_run.manifest, again=bad, file=bad, source=bad)

    text = plain(told(verdict, manifest))

    assert not set("\x1b\x07\r\x9b\u202e") & set(text)
    assert "[2J" in text


def test_plain_anywhere_but_on_a_terminal(chaos_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets no colours, a terminal does, and NO_COLOR takes them away."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    pipe, terminal, silenced = io.StringIO(), _Terminal(), _Terminal()

    show(told(chaos_run.verdict), pipe)
    show(told(chaos_run.verdict), terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    show(told(chaos_run.verdict), silenced)

    assert pipe.getvalue() == silenced.getvalue() == plain(told(chaos_run.verdict))
    assert "\x1b[" in terminal.getvalue()


def test_markup_of_rich_is_not_obeyed_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets of a reason are shown, not taken for a style."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = _Terminal()

    show(
        told(Verdict(scenario="s", seed=0, world="real", outcome=Outcome.PASS, reason="[bold]x[/] [link=y]")),
        terminal,
    )

    assert "[bold]x[/] [link=y]" in terminal.getvalue()


def test_an_ascii_file_does_not_end_the_run(chaos_run: Run) -> None:
    """What the encoding lacks is replaced."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    show(told(chaos_run.verdict), file)

    file.seek(0)
    assert file.readline().startswith("? FAIL  chaos.handlers-under-fire")


def test_a_dumb_terminal_is_not_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb is respected."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    assert not coloured(_Terminal())


def test_the_summary_counts_outcomes(chaos_run: Run, load_run: Run, empty_run: Run) -> None:
    """Several runs end in one line, in the order of the outcomes."""
    verdicts = [r.verdict for r in (chaos_run, load_run, empty_run, load_run)]

    assert plain(summary(verdicts, 75.0)) == "4 runs:  2 pass  1 fail  1 unknown  in 75 s wall time\n"
