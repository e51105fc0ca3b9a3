"""Latency over time: median, 99th percentile, largest, over every single call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.history.records import Operation, Status
from harness.report.figures import count, duration
from harness.report.html.bands import band_labels, bands
from harness.report.html.chart import Key, Layers, Readout, Span, Tick, chart, readout_heads
from harness.report.html.lines import envelope, line
from harness.report.html.markup import Markup, join
from harness.report.html.scales import Log, log_around
from harness.report.series import Bucket
from harness.report.windows import FaultWindow

if TYPE_CHECKING:
    from harness.history.history import History

HEIGHT = 230.0
_SHARES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


def latency_chart(
    history: History, cut: Sequence[Bucket], windows: Sequence[FaultWindow], span: Span
) -> Markup | None:
    """The chart; None when no call ended."""
    calls = history.of(Operation)
    if not calls:
        return None
    scale = log_around([max(o.end - o.intended, 0.0) for o in calls], HEIGHT, 8.0)
    good = [(span.units(o.intended), o.end - o.intended) for o in calls if o.status is Status.OK]
    bad = [(span.units(o.intended), o.end - o.intended) for o in calls if o.status is not Status.OK]
    data = join(
        envelope(good, scale, "dots"),
        envelope(bad, scale, "dots bad"),
        [line(_points(cut, span, scale, share), name) for name, share in reversed(_SHARES)],
    )
    keys = [Key(name, name) for name, _ in _SHARES] + [Key("dots", "each call")]
    return chart(
        "Latency",
        _about(cut),
        HEIGHT,
        Layers(data=data, back=bands(windows, span, HEIGHT), front=band_labels(windows, span)),
        beside=[Tick(scale(v), duration(v)) for v in scale.ticks(5)],
        time=span,
        keys=keys + ([Key("bad", "failed or in doubt")] if bad else []),
        readout=_readout(cut, span),
        note="from the intended start, logarithmic",
    )


def _points(cut: Sequence[Bucket], span: Span, scale: Log, share: float) -> list[tuple[float, float | None]]:
    return [
        (span.units(b.begin + b.width / 2), None if (value := b.percentile(share)) is None else scale(value))
        for b in cut
    ]


def _about(cut: Sequence[Bucket]) -> str:
    seen = [b for b in cut if b.latencies]
    if not seen:
        return "No call was answered well."
    worst = max(seen, key=lambda b: b.latencies[-1])
    return (
        f"Latency of good answers in stretches of {duration(cut[0].width)}. The slowest answer took "
        f"{duration(worst.latencies[-1])}, to a call meant for the stretch from {duration(worst.begin)} on."
    )


def _readout(cut: Sequence[Bucket], span: Span) -> Readout:
    seen = [b for b in cut if b.latencies]
    series = [(name, [duration(b.percentile(share)) for b in seen]) for name, share in _SHARES]
    series.append(("good answers", [count(len(b.latencies)) for b in seen]))
    width = cut[0].width if cut else 1.0
    return Readout(
        [span.share(b.begin + b.width / 2) for b in seen], readout_heads([b.begin for b in seen], width), series
    )
