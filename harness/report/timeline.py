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


def timeline_lines(
    title: str, entries: Sequence[TimelineEntry], *, width: int | None = None, length: float | None = None
) -> list[Line]:
    """One line an entry: when, a bar on the axis, its name, what happens.

    The axis is the `length` seconds that the load takes by its plan (what lies beyond is cut, with an arrow), or
    else that of all entries: the limits of the phases would leave the load a sliver. What has no time of its own
    comes without a bar. `width` (default: the terminal's) bounds a line.
    """
    width = width or shutil.get_terminal_size((120, 24)).columns
    times = [t for e in entries for t in (e.start, e.end) if t is not None]
    low, high = (min(times), max(times)) if times else (0.0, 0.0)
    if length:
        low, high = 0.0, max([length, *(e.end or e.start or 0.0 for e in entries if e.lane.value != "phase")])
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
    """The entry's stretch on an axis of `_BAR` letters; an arrow where its end is not known or beyond the axis."""
    if entry.start is None or high <= low:
        return "·" * _BAR
    if entry.end is not None and entry.end <= low and entry.start < low:
        return "◂" + "·" * (_BAR - 1)
    first = min(_BAR - 1, max(0, int((entry.start - low) / (high - low) * _BAR)))
    if entry.end is None:
        return "·" * first + "▸" + "·" * (_BAR - first - 1)
    if entry.end > high:
        return "·" * first + "━" * (_BAR - first - 1) + "▸"
    last = max(first + 1, min(_BAR, round((entry.end - low) / (high - low) * _BAR)))
    return "·" * first + "━" * (last - first) + "·" * (_BAR - last)
