"""Faults behind the data: a shaded band from injection to heal, in the colour of its row in the fault chart."""

from __future__ import annotations

from collections.abc import Sequence

from harness.history.records import FaultEvent
from harness.report.figures import duration, moment, plural
from harness.report.html.chart import GUTTER, Key, Layers, Span, chart, percent
from harness.report.html.markup import Markup, join, tag
from harness.report.windows import FaultWindow, PhaseWindow, fewer

_COLOURS = 6
_ROW = 22
_MANY = 60
"""More windows than this are joined where they lie close."""
_LABEL = 7.0 / 900
"""Width of a letter as a share of a chart 900 pixels wide."""


def colours(windows: Sequence[FaultWindow]) -> dict[str, str]:
    """A style class for each fault, in order of appearance."""
    return {ident: f"f{n % _COLOURS}" for n, ident in enumerate(dict.fromkeys(w.id for w in windows))}


def bands(windows: Sequence[FaultWindow], span: Span, height: float) -> Markup:
    """The shaded bands of all faults that acted."""
    style = colours(windows)
    return join([_band(w, span, height, style[w.id]) for w in drawn(windows, span)])


def drawn(windows: Sequence[FaultWindow], span: Span) -> Sequence[FaultWindow]:
    """The windows that acted; joined with their neighbours when they are too many to tell apart."""
    acted = [w for w in windows if w.acted]
    return acted if len(acted) <= _MANY else fewer(acted, (span.high - span.low) / 200)


def _band(window: FaultWindow, span: Span, height: float, style: str) -> Markup:
    end = span.high if window.end is None else window.end
    x = span.percent(window.begin)
    width = span.share(end) - span.share(window.begin)
    return tag(
        "g",
        tag("title", told(window)),
        tag("rect", x=x, y=0, width=percent(width), height=height),
        tag("line", x1=x, x2=x, y1=0, y2=height),
        class_=f"band {style}",
    )


def band_labels(windows: Sequence[FaultWindow], span: Span) -> Markup:
    """One label a band at its beginning; at most two rows, and none where it would lie upon another."""
    style = colours(windows)
    taken = [-1.0, -1.0]
    found = []
    for window, _ in struck_together(drawn(windows, span)):
        begin = span.share(window.begin)
        length = len(window.id) * _LABEL + 0.012
        row = next((n for n, until in enumerate(taken) if begin >= until), None)
        if row is None or begin + length > 1:
            continue
        taken[row] = begin + length
        found.append(
            tag("text", window.id, x=percent(begin), dx=4, y=13 + 13 * row, class_=f"label {style[window.id]}")
        )
    return join(found)


def struck_together(windows: Sequence[FaultWindow]) -> list[tuple[FaultWindow, list[FaultWindow]]]:
    """Windows of one fault that overlap, such as two handlers killed at once, by the first of them."""
    groups: list[tuple[FaultWindow, list[FaultWindow]]] = []
    latest: dict[str, list[FaultWindow]] = {}
    for window in windows:
        group = latest.get(window.id)
        if group and any(w.end is None or window.begin <= w.end for w in group):
            group.append(window)
            continue
        latest[window.id] = [window]
        groups.append((window, latest[window.id]))
    return groups


def told(window: FaultWindow) -> str:
    """One sentence about a window.

    >>> told(FaultWindow("crash", "process.kill", "h2", 30.0, 38.0, FaultEvent.HEALED))
    'crash (process.kill) at h2: 30 s to 38 s, for 8 s'
    """
    place = f" at {window.place}" if window.place else ""
    what = f"{window.id} ({window.kind}){place}: "
    if not window.acted:
        return f"{what}{window.outcome.value} at {moment(window.begin)}"
    if window.end is None:
        return f"{what}from {moment(window.begin)}, never healed"
    return f"{what}{moment(window.begin)} to {moment(window.end)}, for {duration(window.end - window.begin)}"


def fault_chart(windows: Sequence[FaultWindow], phases: Sequence[PhaseWindow], span: Span) -> Markup:
    """Phases in the first row, then one row a fault with its windows.

    What failed or was skipped is a hollow mark.
    """
    style = colours(windows)
    rows = list(style)
    height = _ROW * (len(rows) + 1) + 4
    front: list[Markup | None] = [_phase(p, span, n) for n, p in enumerate(phases)]
    top = {ident: _ROW * (n + 1) + 2 for n, ident in enumerate(rows)}
    acted = drawn(windows, span)
    idle = [w for w in windows if not w.acted][:_MANY]
    front += [_row(w, span, style[w.id], top[w.id]) for w in (*acted, *idle)]
    front += [_places(group, span, top[w.id]) for w, group in struck_together(acted) if len(acted) <= _MANY]
    names = [_name("phase", 0), *(_name(ident, n + 1) for n, ident in enumerate(rows))]
    about = "; ".join(told(w) for w in windows[:40]) or "No fault was planned."
    note = plural(sum(w.acted for w in windows), "injection") if windows else ""
    return chart(
        "Faults and phases" if windows else "Phases",
        about,
        height,
        Layers(gutter=join(names), front=join(front)),
        time=span,
        note=note,
        keys=[Key("hollow", "armed only, skipped or failed")] if any(not w.acted for w in windows) else [],
    )


def _name(text: str, row: int) -> Markup:
    shown = text if len(text) <= 10 else text[:9] + "…"
    return tag(
        "text",
        tag("title", text),
        shown,
        x=GUTTER - 10,
        y=_ROW * (row + 0.5) + 1,
        dy="0.35em",
        text_anchor="end",
    )


def _phase(phase: PhaseWindow, span: Span, n: int) -> Markup:
    width = span.share(phase.end) - span.share(phase.begin)
    words = phase.name.value + (" (cut short)" if phase.cut else "")
    label = None
    if width > len(words) * _LABEL + 0.01:
        label = tag(
            "text",
            words,
            x=percent(span.share(phase.begin) + width / 2),
            y=_ROW / 2 + 4,
            text_anchor="middle",
            class_="minor" if width < 0.3 else None,
        )
    title = tag("title", f"{words}: {moment(phase.begin)} to {moment(phase.end)}")
    box = tag("rect", x=span.percent(phase.begin), y=2, width=percent(width), height=_ROW - 6, rx=2)
    return tag("g", title, box, label, class_=f"phase p{n % 2}{' cut' if phase.cut else ''}")


def _row(window: FaultWindow, span: Span, style: str, y: float) -> Markup:
    begin = span.share(window.begin)
    title = tag("title", told(window))
    if not window.acted:
        mark = tag("circle", cx=percent(begin), cy=y + _ROW / 2 - 2, r=4)
        return tag("g", title, mark, class_=f"window hollow {style}")
    end = 1.0 if window.end is None else span.share(window.end)
    box = tag("rect", x=percent(begin), y=y, width=percent(max(end - begin, 0.004)), height=_ROW - 6, rx=3)
    kind = FaultEvent.HEALED if window.end is not None else FaultEvent.INJECTED
    return tag("g", title, box, class_=f"window {style} {kind.value}")


def _places(group: Sequence[FaultWindow], span: Span, y: float) -> Markup | None:
    """Where the fault struck, written behind the last window of the group.

    Or before the first where there is no room.
    """
    words = ", ".join(dict.fromkeys(w.place for w in group if w.place))
    words = words if len(words) <= 30 else words[:29] + "…"
    begin = span.share(group[0].begin)
    end = max(begin + 0.004, *(1.0 if w.end is None else span.share(w.end) for w in group))
    if end + len(words) * _LABEL < 0.99:
        return tag("text", words, x=percent(end), dx=5, y=y + _ROW / 2 + 1, class_="place")
    return tag("text", words, x=percent(begin), dx=-5, y=y + _ROW / 2 + 1, text_anchor="end", class_="place")
