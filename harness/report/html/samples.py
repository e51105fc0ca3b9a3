"""Samples as small multiples: one small chart a name, one line a place, on the same time axis as all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.history.records import Sample
from harness.report.executions import natural
from harness.report.figures import count, duration, moment, size
from harness.report.html.bands import bands
from harness.report.html.chart import Key, Layers, Readout, Span, Tick, chart
from harness.report.html.lines import decimate, steps
from harness.report.html.markup import Markup, join, tag
from harness.report.html.scales import Linear
from harness.report.windows import FaultWindow

if TYPE_CHECKING:
    from harness.history.history import History

Write = Callable[[float], str]

HEIGHT = 84.0
_PLACES = 8
_CHARTS = 16
_BYTES = ("rss", "memory", "free-disk", "bytes")
_SECONDS = ("generator-lag",)
_FIRST = ("registered-handlers", "backlog", "rss", "fds", "threads")


def samples_charts(history: History, windows: Sequence[FaultWindow], span: Span) -> Markup | None:
    """The grid of small charts; None when nothing was sampled."""
    named: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for sample in history.of(Sample):
        named.setdefault(sample.name, {}).setdefault(sample.place, []).append((sample.at, sample.value))
    names = sorted(named, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n))
    if not names:
        return None
    left = f"{len(names) - _CHARTS} more names are in history.jsonl." if len(names) > _CHARTS else ""
    charts = [_small(name, named[name], windows, span) for name in names[:_CHARTS]]
    return join(tag("div", charts, class_="multiples"), tag("p", left, class_="note") if left else None)


def _small(
    name: str, places: dict[str, list[tuple[float, float]]], windows: Sequence[FaultWindow], span: Span
) -> Markup:
    shown = sorted(places, key=natural)[:_PLACES]
    values = [value for points in places.values() for _, value in points]
    low, high = min(0.0, *values), max(values)
    scale = Linear(low, high + (high - low) * 0.1 or 1.0, HEIGHT, 5.0)
    write = _written(name)
    lines = []
    for n, place in enumerate(shown):
        points = [(span.units(at), scale(value)) for at, value in decimate(places[place], 400)]
        lines.append(steps(points, points[-1][0], f"s{n}"))
    keys = [Key(f"s{n}", place) for n, place in enumerate(shown) if place]
    about = "; ".join(
        f"{place or name}: from {write(min(v))} to {write(max(v))}" for place, v in _values(places)
    )
    hidden = f"{len(places) - len(shown)} more places" if len(places) > len(shown) else ""
    return chart(
        name,
        about,
        HEIGHT,
        Layers(data=join(lines), back=bands(windows, span, HEIGHT)),
        time=span,
        small=True,
        keys=keys,
        beside=[Tick(scale(v), write(v)) for v in scale.ticks(3)],
        note=hidden,
        readout=_readout({p: places[p] for p in shown}, name, span, write),
    )


def _written(name: str) -> Write:
    """How values of this name are written: with their unit, where they have one."""
    if any(word in name for word in _BYTES):
        return size
    return duration if name in _SECONDS else count


def _values(places: dict[str, list[tuple[float, float]]]) -> list[tuple[str, list[float]]]:
    return [(place, [value for _, value in points]) for place, points in places.items()]


def _readout(places: dict[str, list[tuple[float, float]]], name: str, span: Span, write: Write) -> Readout:
    moments = sorted({at for points in places.values() for at, _ in decimate(points, 120)})
    moments = moments[:: -(-len(moments) // 150)] if moments else []
    series = []
    for place, points in places.items():
        texts, n, current = [], 0, ""
        for at in moments:
            while n < len(points) and points[n][0] <= at:
                current = write(points[n][1])
                n += 1
            texts.append(current)
        series.append((place or name, texts))
    return Readout([span.share(at) for at in moments], [moment(at) for at in moments], series)
