"""Paths through values: lines with gaps, columns, envelopes of the extremes per pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.report.html.markup import Markup, number, tag

Scale = Callable[[float], float]


def line(points: Iterable[tuple[float, float | None]], style: str) -> Markup:
    """A line through `points` in coordinates; None interrupts it, and a lonely point shows as a dot."""
    parts: list[str] = []
    pen_down = False
    lonely = False
    for x, y in points:
        if y is None:
            if lonely:
                parts.append("h.1")
            pen_down = lonely = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{number(x)} {number(y)}")
        lonely, pen_down = not pen_down, True
    if lonely:
        parts.append("h.1")
    return tag("path", d="".join(parts), class_=f"line {style}") if parts else Markup()


def steps(points: Sequence[tuple[float, float]], end: float, style: str) -> Markup:
    """A line that keeps each value until the next one, the last until `end`."""
    if not points:
        return Markup()
    parts = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for x, y in points[1:]:
        parts.append(f"H{number(x)}V{number(y)}")
    parts.append(f"H{number(max(end, points[-1][0]))}")
    return tag("path", d="".join(parts), class_=f"line {style}")


def columns(bars: Iterable[tuple[float, float, float, float]], style: str) -> Markup:
    """Rectangles ``(x, y, width, height)`` as one path; those without an extent are left out."""
    parts = [_box(*bar) for bar in bars if bar[2] > 0 and bar[3] > 0]
    return tag("path", d="".join(parts), class_=style) if parts else Markup()


def _box(x: float, y: float, width: float, height: float) -> str:
    w = number(max(width, 0.1))
    return f"M{number(x)} {number(y)}h{w}v{number(max(height, 0.5))}h-{w}z"


def envelope(
    points: Iterable[tuple[float, float]], scale: Scale, style: str, *, pixels: int = 900, units: float = 1000.0
) -> Markup:
    """The lowest and the highest value of every pixel column as upright strokes: what 2,000 or 2,000,000
    points look like alike.

    `points` are ``(x in units, value)``; no spike is lost, however dense the data.
    """
    extremes: dict[int, tuple[float, float]] = {}
    for x, value in points:
        column = min(pixels - 1, int(x / units * pixels))
        low, high = extremes.get(column, (value, value))
        extremes[column] = (min(low, value), max(high, value))
    parts = []
    for column in sorted(extremes):
        low, high = (scale(v) for v in extremes[column])
        high = high if abs(high - low) >= 1 else low - 1
        parts.append(f"M{number((column + 0.5) * units / pixels)} {number(low)}V{number(high)}")
    return tag("path", d="".join(parts), class_=style) if parts else Markup()


def decimate(points: Sequence[tuple[float, float]], limit: int = 800) -> Sequence[tuple[float, float]]:
    """At most about `limit` of the points, keeping the smallest and the largest of every stretch."""
    if len(points) <= limit:
        return points
    size = -(-len(points) * 2 // limit)
    kept: list[tuple[float, float]] = [points[0]]
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        kept.extend(sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}))
    kept.append(points[-1])
    return kept
