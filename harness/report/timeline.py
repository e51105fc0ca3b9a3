"""The timeline that ``harness explain`` prints: what will be played, as a chart of letters."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.report.console import Line
from harness.report.html.scales import tick_label
from harness.report.text import printable

if TYPE_CHECKING:
    from harness.scenario.explain import TimelineEntry

_STYLES = {"phase": "dim", "step": "cyan", "load": "green", "fault": "bold red"}
_BAR = 30
_NAME = 18


def timeline_lines(title: str, entries: Sequence[TimelineEntry], *, width: int | None = None) -> list[Line]:
    """One line an entry: when, a bar on the axis of all entries, its name, what happens.

    What has no time of its own comes without a bar. `width` (default: the terminal's) bounds a line.
    """
    width = width or shutil.get_terminal_size((120, 24)).columns
    times = [t for e in entries for t in (e.start, e.end) if t is not None]
    low, high = (min(times), max(times)) if times else (0.0, 0.0)
    spans = {id(e): _when(e) for e in entries}
    wide = max((len(text) for text in spans.values()), default=0)
    lines: list[Line] = [[(printable(title), "bold")]]
    for entry in entries:
        style = _STYLES.get(entry.lane.value, "")
        room = max(20, width - wide - _BAR - _NAME - 10)
        lines.append(
            [
                (f"  {spans[id(entry)]:>{wide}}  ", "dim"),
                (_bar(entry, low, high), style),
                (f"  {printable(entry.name, _NAME):<{_NAME}}  ", style),
                (printable(entry.what, room), ""),
            ]
        )
    return lines


def _when(entry: TimelineEntry) -> str:
    if entry.start is None:
        return "then" if entry.lane.value == "phase" else "on its event"
    if entry.end is None or entry.end == entry.start:
        return tick_label(entry.start)
    return f"{tick_label(entry.start)} … {tick_label(entry.end)}"


def _bar(entry: TimelineEntry, low: float, high: float) -> str:
    """The entry's stretch on an axis of `_BAR` letters; an entry without an end is an arrow."""
    if entry.start is None or high <= low:
        return "·" * _BAR
    first = min(_BAR - 1, int((entry.start - low) / (high - low) * _BAR))
    if entry.end is None:
        return "·" * first + "▸" + "·" * (_BAR - first - 1)
    last = max(first + 1, min(_BAR, round((entry.end - low) / (high - low) * _BAR)))
    return "·" * first + "━" * (last - first) + "·" * (_BAR - last)
