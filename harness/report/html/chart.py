"""The frame that every chart stands in: gutter, grid, ticks, bands behind, marks before the data.

Horizontal places are per cent and the data is a nested picture of `UNITS` wide that is stretched without its
strokes and texts: so a chart fills any width, from a telephone to paper, without a script, and its letters
keep their size. Zooming is then nothing but another view box, which is all that the page's script does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.figures import moment
from harness.report.html.markup import NOTHING, Attribute, Markup, join, number, script_data, tag
from harness.report.html.scales import tick_label, time_ticks
from harness.report.text import legal

UNITS = 1000.0
"""Width of the data's own coordinate system."""
GUTTER = 76
"""Width in pixels of the column of labels on the left.

The same for all, so that charts above one another align.
"""
AXIS = 22
"""Height in pixels of the row of labels below."""


@dataclass(frozen=True)
class Span:
    """The stretch of values that a chart's width stands for: scenario time, cycle numbers.

    Or whatever runs along it.
    """

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where `value` lies, from 0 to 1."""
        width = self.high - self.low
        return min(1.0, max(0.0, (value - self.low) / width)) if width > 0 else 0.5

    def units(self, value: float) -> float:
        """Where `value` lies in the data's coordinates."""
        return self.share(value) * UNITS

    def percent(self, value: float) -> str:
        """Where `value` lies, as an SVG length."""
        return percent(self.share(value))


def percent(share: float) -> str:
    """A share of the width as an SVG length.

    >>> percent(0.125)
    '12.5%'
    """
    text = f"{share * 100:.3f}".rstrip("0").rstrip(".")
    return f"{text or '0'}%"


@dataclass(frozen=True)
class Tick:
    """A label at a share of the width, or at a height in pixels; ``minor`` ones yield on narrow screens."""

    at: float
    label: str
    minor: bool = False


@dataclass(frozen=True)
class Readout:
    """What the pointer reads off: for each x (share of the width) its heading, and one text a series."""

    at: Sequence[float]
    heads: Sequence[str]
    series: Sequence[tuple[str, Sequence[str]]]

    def json(self) -> Markup:
        """The read-out as JSON that may stand inside a script element."""
        rows = [[legal(name), [legal(t) for t in texts]] for name, texts in self.series]
        data = {"x": [round(x, 5) for x in self.at], "h": [legal(h) for h in self.heads], "s": rows}
        return script_data(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True)
class Layers:
    """What a chart draws, from back to front.

    ``back`` and ``front`` are placed in per cent, ``data`` in units.
    """

    data: Markup = NOTHING
    back: Markup = NOTHING
    front: Markup = NOTHING
    gutter: Markup = NOTHING


@dataclass(frozen=True)
class Key:
    """One entry of a chart's legend: a style class of the page and its words."""

    style: str
    words: str


def time_ticks_of(span: Span) -> tuple[Tick, ...]:
    """The ticks of a time axis; every second one is minor."""
    return tuple(
        Tick(span.share(t), tick_label(t), n % 2 == 1)
        for n, t in enumerate(time_ticks(span.low, span.high, 10))
    )


def chart(
    name: str,
    about: str,
    height: float,
    layers: Layers,
    *,
    below: Sequence[Tick] = (),
    beside: Sequence[Tick] = (),
    keys: Sequence[Key] = (),
    readout: Readout | None = None,
    time: Span | None = None,
    note: str = "",
    small: bool = False,
) -> Markup:
    """One figure. `about` is its description for those who cannot see it.

    `time` makes it zoom together with the others.
    """
    ticks = time_ticks_of(time) if time is not None else below
    full = height + (AXIS if ticks else 0)
    frame = join(
        tag("title", name),
        tag("desc", about),
        tag("g", layers.back, class_="t"),
        tag("g", [tag("line", x1=0, x2="100%", y1=t.at, y2=t.at) for t in beside], class_="grid"),
        tag("g", [_below(t, height) for t in ticks], class_="ticks"),
        _data(layers.data, height),
        tag("g", layers.front, class_="t"),
        tag("line", class_="hair", y1=0, y2=height, x1=0, x2=0),
    )
    stop = "0" if readout else None  # what can be read off can be reached by the keyboard
    picture = tag("svg", frame, class_="area", width="100%", height=full, role="img", tabindex=stop)
    return tag(
        "figure",
        _caption(name, keys, note),
        tag("div", _gutter(beside, layers.gutter, full), picture, class_="plot"),
        tag("script", readout.json(), type="application/json") if readout else None,
        class_="chart small" if small else "chart",
        data_low=f"{time.low:.6g}" if time else None,
        data_high=f"{time.high:.6g}" if time else None,
    )


def _data(data: Markup, height: float) -> Markup:
    """The nested picture that is stretched to the width of the chart."""
    box = f"0 0 {number(UNITS)} {number(height)}"
    place: dict[str, Attribute] = {"x": 0, "y": 0, "width": "100%", "height": height}
    return tag("svg", data, class_="data", viewBox=box, preserveAspectRatio="none", **place)


def _gutter(beside: Sequence[Tick], more: Markup, height: float) -> Markup:
    labels = [tag("text", t.label, x=GUTTER - 10, y=t.at, dy="0.35em", text_anchor="end") for t in beside]
    return tag("svg", labels, more, class_="gutter", width=GUTTER, height=height, aria_hidden="true")


def _caption(name: str, keys: Sequence[Key], note: str) -> Markup:
    said = tag("span", note, class_="note") if note else None
    return tag("figcaption", tag("span", name, class_="name"), legend(keys), said)


def _below(tick: Tick, height: float) -> Markup:
    anchor = "start" if tick.at < 0.015 else "end" if tick.at > 0.965 else "middle"
    x = percent(tick.at)
    return tag(
        "g",
        tag("line", x1=x, x2=x, y1=0, y2=height),
        tag("text", tick.label, x=x, y=height + 15, text_anchor=anchor),
        class_="minor" if tick.minor else None,
    )


def legend(keys: Sequence[Key]) -> Markup | None:
    """The legend: a swatch and its words for each key."""
    if not keys:
        return None
    entries = [tag("span", tag("i", class_=f"swatch {key.style}"), key.words) for key in keys]
    return tag("span", entries, class_="legend")


def readout_heads(moments: Sequence[float], width: float) -> list[str]:
    """Headings of time buckets: where each begins and ends."""
    return [f"{moment(m)} … {moment(m + width)}" for m in moments]


def section(ident: str, heading: str, *children: Markup | None, lead: str = "") -> Markup:
    """One section of the page with its heading and at most one sentence that says how to read it."""
    head = join(tag("h2", heading), tag("p", lead, class_="lead") if lead else None)
    return tag("section", head, list(children), id=ident, class_="card")
