"""How slow the slowest were: a curve that gives each further nine the same width, over a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.report.distributions import SHARES, Distribution
from harness.report.figures import count, duration
from harness.report.html.chart import Key, Layers, Readout, Span, Tick, chart
from harness.report.html.lines import line
from harness.report.html.markup import Markup, join
from harness.report.html.scales import log_around
from harness.report.html.tables import table
from harness.report.series import nearest_rank

HEIGHT = 220.0
_TICKS = (
    (0.0, "0%"),
    (0.5, "50%"),
    (0.9, "90%"),
    (0.99, "99%"),
    (0.999, "99.9%"),
    (0.9999, "99.99%"),
    (0.99999, "99.999%"),
)
_CURVES = 8


def percentiles(found: Sequence[Distribution]) -> Markup | None:
    """Curve and table; None when nothing was measured."""
    measured = [d for d in found if d.values]
    return join(_curves(measured[:_CURVES]), percentile_table(found)) if measured else None


def percentile_table(found: Sequence[Distribution], caption: str = "Percentiles") -> Markup:
    """One row a metric. A dash stands where there are too few values to speak of that percentile."""
    rows = [
        (
            d.name,
            d.about,
            count(len(d.values)),
            duration(d.values[0] if d.values else None),
            duration(d.mean),
            *(duration(d.at(share)) for _, share in SHARES),
            duration(d.values[-1] if d.values else None),
        )
        for d in found
    ]
    return table(
        caption,
        ("metric", "what", "count", "min", "mean", *(name for name, _ in SHARES), "max"),
        rows,
        figures=2,
    )


def finite(values: Sequence[float]) -> Sequence[float]:
    """`values` without those that never came."""
    return [v for v in values if math.isfinite(v)]


def _nines(share: float) -> float:
    return -math.log10(1 - share)


def _curves(found: Sequence[Distribution]) -> Markup:
    most = max(len(d.values) for d in found)
    span = Span(0.0, max(1.0, math.log10(most)) * 1.02)
    scale = log_around([v for d in found for v in (d.values[0], *finite(d.values)[-1:])], HEIGHT, 8.0)
    shares = [1 - 10 ** -(n / 25) for n in range(int(span.high * 25) + 1)]
    lines = []
    for n, distribution in enumerate(found):
        last = _nines(1 - 1 / max(2, len(distribution.values)))
        ranks = [
            (_nines(s), nearest_rank(distribution.values, s) or 0.0) for s in shares if _nines(s) <= last + 0.02
        ]
        ranks.append((last, distribution.values[-1]))
        lines.append(line([(span.units(x), None if math.isinf(v) else scale(v)) for x, v in ranks], f"s{n}"))
    below = [Tick(span.share(_nines(s)), label, minor=not s) for s, label in _TICKS if _nines(s) <= span.high]
    series = [
        (
            d.name,
            [
                duration(nearest_rank(d.values, s))
                if _nines(s) <= math.log10(max(2, len(d.values))) + 0.02
                else ""
                for s in shares
            ],
        )
        for d in found
    ]
    readout = Readout(
        [span.share(_nines(s)) for s in shares],
        [f"{s * 100:.5g}% of calls took at most" for s in shares],
        series,
    )
    about = "; ".join(
        f"{d.name}: median {duration(d.at(0.5))}, largest {duration(d.values[-1])}" for d in found
    )
    return chart(
        "Latency by percentile",
        about,
        HEIGHT,
        Layers(data=join(lines)),
        below=below,
        readout=readout,
        beside=[Tick(scale(v), duration(v)) for v in scale.ticks(5)],
        keys=[Key(f"s{n}", d.name) for n, d in enumerate(found)],
        note="each further nine as wide as the one before",
    )
