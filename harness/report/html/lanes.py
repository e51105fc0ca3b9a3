"""A lane a process: executions as bars, deaths as marks, faults shaded where they struck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.report.executions import LANES, Bar, Lane, lanes, merged
from harness.report.figures import count, moment, plural
from harness.report.html.bands import colours, drawn, told
from harness.report.html.chart import GUTTER, Key, Layers, Readout, Span, chart, percent, readout_heads
from harness.report.html.lines import columns
from harness.report.html.markup import Markup, join, tag
from harness.report.series import bucket_width
from harness.report.windows import FaultWindow, Life

if TYPE_CHECKING:
    from harness.history.history import History

_LOOKS = (("ok", "good"), ("error", "error"), ("silent", "no answer"), ("unfinished", "never finished"))
_RESOLUTIONS = (8000, 4000, 2000, 1000)
_BARS = 9000
"""More bars than this make the page too heavy; then neighbours are joined."""
_DRAWN_LIVES = 200


def lanes_chart(history: History, windows: Sequence[FaultWindow], span: Span) -> Markup | None:
    """The chart; None when the history knows no process and no handler."""
    every = lanes(history, windows, span.high)
    if not every:
        return None
    shown = every[:LANES]
    row = 7.0 if len(shown) <= 12 else 4.0 if len(shown) <= 30 else 2.0
    tops, height = _layout(shown, row)
    style = colours(windows)
    bars = _thinned(shown, span)
    data = join([_bars(lane, bars[lane.name], top, row, span) for lane, top in zip(shown, tops, strict=True)])
    front = join([_life(lane, top, _height(lane, row), span) for lane, top in zip(shown, tops, strict=True)])
    back = join(
        [_faults(lane, top, _height(lane, row), span, style) for lane, top in zip(shown, tops, strict=True)]
    )
    gutter = join([_name(lane, top + _height(lane, row) / 2) for lane, top in zip(shown, tops, strict=True)])
    hidden = f"; {len(every) - len(shown)} more not drawn" if len(every) > len(shown) else ""
    return chart(
        "Executions",
        _about(every),
        height,
        Layers(data=data, back=back, front=front, gutter=gutter),
        time=span,
        keys=_keys(shown),
        note=plural(len(every), "lane") + hidden,
        readout=_readout(shown, span),
    )


def _height(lane: Lane, row: float) -> float:
    return max(row * lane.rows + 6, 12.0 if row > 2 else 6.0)


def _layout(shown: Sequence[Lane], row: float) -> tuple[list[float], float]:
    tops, y = [], 2.0
    for lane in shown:
        tops.append(y)
        y += _height(lane, row) + 4
    return tops, y


def _thinned(shown: Sequence[Lane], span: Span) -> dict[str, list[Bar]]:
    """The bars to draw: all of them, or joined at the finest resolution that keeps the page light."""
    found = {lane.name: lane.bars for lane in shown}
    for resolution in _RESOLUTIONS:
        if sum(len(bars) for bars in found.values()) <= _BARS:
            break
        found = {lane.name: merged(lane.bars, span.low, span.high, columns=resolution) for lane in shown}
    return found


def _bars(lane: Lane, bars: Sequence[Bar], top: float, row: float, span: Span) -> Markup:
    paths = []
    for look, _ in _LOOKS:
        boxes = [
            (
                span.units(b.begin),
                top + 3 + b.row * row,
                max(span.units(b.end) - span.units(b.begin), 0.3),
                row - 1,
            )
            for b in bars
            if b.look == look or (look == "error" and b.look not in dict(_LOOKS))
        ]
        paths.append(columns(boxes, f"run {look}"))
    return tag("g", paths, data_lane=lane.name)


def _faults(lane: Lane, top: float, height: float, span: Span, style: dict[str, str]) -> Markup:
    ground = tag("rect", x=0, y=top, width="100%", height=height, class_="lane")
    alive = [_alive(life, top, height, span) for life in lane.lives[:_DRAWN_LIVES]]
    struck = []
    for window in drawn(lane.faults, span):
        begin, end = span.share(window.begin), span.share(span.high if window.end is None else window.end)
        box = tag("rect", x=percent(begin), y=top, width=percent(max(end - begin, 0.001)), height=height)
        struck.append(tag("g", tag("title", told(window)), box, class_=f"struck {style[window.id]}"))
    return join(ground, alive, struck)


def _alive(life: Life, top: float, height: float, span: Span) -> Markup:
    begin = span.share(span.low if life.begin is None else life.begin)
    end = span.share(span.high if life.end is None else life.end)
    return tag("rect", x=percent(begin), y=top, width=percent(end - begin), height=height, class_="alive")


def _life(lane: Lane, top: float, height: float, span: Span) -> Markup:
    """Marks: a small upright where a process started, a cross where it was killed.

    A bar where it ended by itself.
    """
    marks = []
    for n, life in enumerate(lane.lives[:_DRAWN_LIVES]):
        middle = top + height / 2
        if n and life.begin is not None:
            words = f"{lane.name} started again at {moment(life.begin)} (pid {life.pid})"
            marks.append(_mark("▶", "start", words, span.percent(life.begin), middle))
        if life.died and life.end is not None:
            words = f"{lane.name} {_ending(life.code)} at {moment(life.end)} (pid {life.pid})"
            marks.append(_mark("✕", "death", words, span.percent(life.end), middle))
    return join(marks)


def _mark(sign: str, style: str, words: str, x: str, y: float) -> Markup:
    return tag(
        "text", tag("title", words), sign, x=x, y=y, dy="0.36em", text_anchor="middle", class_=f"mark {style}"
    )


def _ending(code: int | None) -> str:
    if code is None:
        return "ended, nobody knows how,"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _name(lane: Lane, y: float) -> Markup:
    shown = lane.name if len(lane.name) <= 10 else lane.name[:9] + "…"
    return tag("text", tag("title", lane.name), shown, x=GUTTER - 10, y=y, dy="0.35em", text_anchor="end")


def _keys(shown: Sequence[Lane]) -> list[Key]:
    looks = {bar.look for lane in shown for bar in lane.bars}
    keys = [Key(f"run-{look}", words) for look, words in _LOOKS if look in looks]
    if any(life.died for lane in shown for life in lane.lives):
        keys.append(Key("sign-death", "killed, crashed or gone"))
    if any(len(lane.lives) > 1 for lane in shown):
        keys.append(Key("sign-start", "started again"))
    return keys


def _about(every: Sequence[Lane]) -> str:
    parts = []
    for lane in every[:LANES]:
        deaths = sum(life.died for life in lane.lives)
        words = [plural(len(lane.bars), "execution")]
        words += [f"{lane.unfinished} never finished"] if lane.unfinished else []
        words += [plural(deaths, "death")] if deaths else []
        parts.append(f"{lane.name}: {', '.join(words)}")
    return "; ".join(parts)


def _readout(shown: Sequence[Lane], span: Span) -> Readout | None:
    busy = [lane for lane in shown if lane.bars][:14]
    if not busy:
        return None
    width = bucket_width(span.high - span.low, 120)
    moments = [n * width for n in range(int(span.low // width), int(span.high // width) + 1)]
    series = []
    for lane in busy:
        begun = [0] * len(moments)
        lost = [0] * len(moments)
        for bar in lane.bars:
            n = min(len(moments) - 1, max(0, int((bar.begin - moments[0]) // width)))
            begun[n] += 1
            lost[n] += bar.look != "ok"
        texts = [
            f"{count(b)} begun" + (f", {x} not good" if x else "") for b, x in zip(begun, lost, strict=True)
        ]
        series.append((lane.name, texts))
    return Readout([span.share(m + width / 2) for m in moments], readout_heads(moments, width), series)
