"""Throughput over time: what was offered, what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.figures import rate
from harness.report.html.bands import bands
from harness.report.html.chart import Key, Layers, Readout, Span, Tick, chart, readout_heads
from harness.report.html.lines import columns, steps
from harness.report.html.markup import Markup, join
from harness.report.html.scales import Linear
from harness.report.series import Bucket, Tally
from harness.report.windows import FaultWindow

HEIGHT = 170.0
_ENDS = (("fail", "failed"), ("info", "in doubt"), ("dropped", "dropped"), ("ok", "answered"))
"""From the bottom of a column to its top: trouble stands on the ground line, where it is seen."""


def throughput_chart(
    cut: Sequence[Bucket], total: Tally, windows: Sequence[FaultWindow], span: Span
) -> Markup | None:
    """The chart; None when nothing was offered."""
    if not total.offered:
        return None
    top = max(max(b.offered, b.ok + b.fail + b.info + b.dropped) / b.width for b in cut)
    scale = Linear(0.0, top * 1.08, HEIGHT, 6.0)
    seen = [(name, words) for name, words in _ENDS if getattr(total, name)]
    offered = [(span.units(b.begin), scale(b.offered / b.width)) for b in cut]
    data = join(
        [columns(_column(cut, span, scale, name), f"bar {name}") for name, _ in _ENDS],
        steps(offered, 1000.0, "offered"),
    )
    keys = [Key("offered", "offered"), *(Key(name, words) for name, words in reversed(seen))]
    about = (
        f"{total.offered:,} calls were offered: {total.ok:,} answered well, {total.fail:,} failed, "
        f"{total.info:,} in doubt, {total.dropped:,} dropped. Columns of {cut[0].width:g} s."
    )
    readout = Readout(
        [span.share(b.begin + b.width / 2) for b in cut],
        readout_heads([b.begin for b in cut], cut[0].width),
        [("offered", [rate(b.offered / b.width) for b in cut])]
        + [(words, [rate(getattr(b, name) / b.width) for b in cut]) for name, words in reversed(seen)],
    )
    return chart(
        "Throughput",
        about,
        HEIGHT,
        Layers(data=data, back=bands(windows, span, HEIGHT)),
        time=span,
        keys=keys,
        readout=readout,
        beside=[Tick(scale(v), rate(v)) for v in scale.ticks(4)],
        note="calls a second",
    )


def _column(
    cut: Sequence[Bucket], span: Span, scale: Linear, name: str
) -> list[tuple[float, float, float, float]]:
    below = [n for n, _ in _ENDS][: [n for n, _ in _ENDS].index(name)]
    found = []
    for bucket in cut:
        bottom = sum(getattr(bucket, n) for n in below) / bucket.width
        high = scale(bottom + getattr(bucket, name) / bucket.width)
        x, end = span.units(bucket.begin), span.units(bucket.begin + bucket.width)
        found.append((x, high, (end - x) * 0.9, scale(bottom) - high if getattr(bucket, name) else 0.0))
    return found
