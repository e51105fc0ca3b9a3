"""The verdict for a person at a terminal: what broke, why, on which line, how to run it again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from harness.checks.evidence import first
from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.report.figures import duration, moment
from harness.report.manifest import Manifest
from harness.report.simulated import SimRecord
from harness.report.source import excerpt
from harness.report.standing import ordered, standing
from harness.report.text import printable

Line = Sequence[tuple[str, str]]
"""A line as pieces of text, each with the name of a style of rich (empty: none)."""

_STYLES = {"pass": "green", "fail": "bold red", "unknown": "bold yellow", "known": "magenta"}
_SIGNS = {"pass": "✓", "fail": "✕", "unknown": "?", "known": "●"}
_EVIDENCE = 5


def told(
    verdict: Verdict,
    manifest: Manifest | None = None,
    *,
    report: Path | None = None,
    quiet: bool = False,
    folder: Path | None = None,
) -> list[Line]:
    """The verdict as lines. `report` is what to open for more, `folder` that of the run.

    A pass is one line when `quiet`; of anything else what one needs to act on it is left: what did not pass, and how
    it is run again.
    """
    word = verdict.outcome.value
    style = _STYLES.get(word, "bold magenta")
    head = [
        (f"{_SIGNS.get(word, '!')} {word.upper()}", style),
        (f"  {printable(verdict.scenario)}", "bold"),
        (f"  {verdict.world}, seed {verdict.seed}, {_times(verdict, manifest)}", "dim"),
    ]
    reason = (f"  {printable(verdict.reason)}", "")
    if quiet and verdict.outcome is Outcome.PASS:
        return [[*head, reason]]
    lines: list[Line] = [head, [reason]]
    shown = [c for c in ordered(verdict.checks) if not quiet or standing(c) != "pass"]
    width = min(44, max((len(c.name) for c in shown), default=0))
    quoted: set[int] = set()
    for check in shown:
        lines += _check(check, width)
        if standing(check) != "pass" and manifest is not None:
            lines += _lines_of_file(check.line, manifest, again=check.line in quoted)
            quoted.add(check.line)
    if manifest is not None and manifest.again:
        lines.append([("  run it again  ", "dim"), (printable(manifest.again, 2000), "bold")])
    if quiet:
        return lines
    if manifest is not None and manifest.simulation is not None:
        # What was interrupted from outside has its end on no tape.
        lines += _simulated(manifest.simulation, None if verdict.outcome is Outcome.INTERRUPTED else folder)
    if report is not None:
        lines.append([("  report        ", "dim"), (printable(str(report), 2000), "")])
    return lines


def _times(verdict: Verdict, manifest: Manifest | None) -> str:
    """How long the run phase took in the scenario's time, and the whole run by the clock on the wall."""
    wall = f", {duration(manifest.duration)} wall time" if manifest is not None and manifest.duration else ""
    return f"{duration(verdict.duration)} scenario time{wall}"


def _simulated(record: SimRecord, folder: Path | None) -> list[Line]:
    """What identifies a simulated run, and how to see that very run once more."""
    lines: list[Line] = []
    if folder is not None:
        lines.append([("  replay it     ", "dim"), (printable(f"harness replay {folder}", 2000), "bold")])
    lines.append([("  digest        ", "dim"), (f"{record.digest}, {duration(record.elapsed)} virtual time", "")])
    return lines


def repeated(found: Mapping[str, Any]) -> list[Line]:
    """What came of playing a simulated run twice, or of replaying it: `harness.repeated.Repeated.as_json`."""
    if found["same"]:
        return [[("  deterministic ", "green"), (f"{found['events']} events, digest {found['digest']}", "")]]
    first, *rest = str(found["difference"]).splitlines()
    return [
        [("  NONDETERMINISTIC  ", "bold red"), (printable(first, 2000), "")],
        *([(f"    {printable(line, 2000)}", "")] for line in rest),
    ]


def _check(check: CheckResult, width: int) -> list[Line]:
    word = standing(check)
    lines: list[Line] = [
        [
            (f"  {_SIGNS.get(word, '!')} {word:<8}", _STYLES.get(word, "magenta")),
            (f"{printable(check.name):<{width}}", "bold"),
            (f"  {check.when:<10}  ", "dim"),
            (printable(check.summary), ""),
        ]
    ]
    if word == "pass":
        return lines
    evidence, more = first(check.evidence, _EVIDENCE)
    lines += [_evidence(e) for e in evidence]
    if more:
        lines.append([(f"      and {more} more", "dim")])
    return lines


def _evidence(evidence: Evidence) -> Line:
    when = f"{moment(evidence.at)}  " if evidence.at is not None else ""
    return [(f"      {when}", "cyan"), (printable(evidence.text), "")]


def _lines_of_file(at: int, manifest: Manifest, *, again: bool) -> list[Line]:
    """The lines of the scenario file around the one that asks for what did not hold; `again`: its number alone."""
    found = excerpt(manifest.source, at, around=1)
    if found is None:
        return []
    lines: list[Line] = [[(f"      {printable(manifest.file or 'scenario')}:{at}", "dim")]]
    for number, text in () if again else found.lines:
        hit = number == at
        lines.append(
            [
                (f"      {'>' if hit else ' '} {number:>4} | ", "red" if hit else "dim"),
                (printable(text), "bold" if hit else "dim"),
            ]
        )
    return lines


def summary(verdicts: Sequence[Verdict], took: float) -> list[Line]:
    """The last line over several runs: how many came out how, and the wall seconds they took."""
    outcomes = [v.outcome for v in verdicts]
    counted = [(o, outcomes.count(o)) for o in Outcome if o in outcomes]
    parts: list[tuple[str, str]] = []
    for outcome, number in counted:
        parts += [("  ", ""), (f"{number} {outcome.value}", _STYLES.get(outcome.value, "bold magenta"))]
    return [
        [
            (f"{len(verdicts)} run{'s' if len(verdicts) != 1 else ''}:", "bold"),
            *parts,
            (f"  in {duration(took)} wall time", "dim"),
        ]
    ]


def plain(lines: Iterable[Line]) -> str:
    """The lines without any style, for files, pipes and tests."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def coloured(file: TextIO | None) -> bool:
    """Whether `file` is a terminal that wants colours (https://no-color.org). None: it was closed before the start."""
    return file is not None and file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show(lines: Sequence[Line], file: TextIO | None = None) -> None:
    """Print the lines: in colour on a terminal, plain anywhere else."""
    file = file or sys.stdout
    if file is None:
        return  # standard output is closed: nobody wants to read
    try:
        _write(lines, file)
    except BrokenPipeError:
        raise  # the reader has seen enough
    except OSError as error:
        _give_up(file, error)


def _write(lines: Sequence[Line], file: TextIO) -> None:
    if not coloured(file):
        file.write(_encodable(plain(lines), file))
        file.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*line))


def _give_up(file: TextIO, error: OSError) -> None:
    """A full disk behind the output changes no verdict. What is still in its buffer goes nowhere, or it would fail
    again at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, file.fileno())
    finally:
        os.close(null)
    if sys.stderr is not None:
        print(f"harness: the output cannot be written: {error.strerror}", file=sys.stderr)


def _encodable(text: str, file: TextIO) -> str:
    """`text` with what the file's encoding lacks replaced, so that a log in ASCII does not end a run."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
