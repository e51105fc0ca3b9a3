"""Cycles of starting, stopping: how long each step took, cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.history.records import Status, Step
from harness.report.distributions import steps
from harness.report.figures import count, duration, plural
from harness.report.html.chart import Key, Layers, Readout, Span, Tick, chart
from harness.report.html.markup import Markup, join, number, tag
from harness.report.html.percentiles import percentile_table
from harness.report.html.scales import Log, log_around, nice_ticks
from harness.report.html.tables import table

if TYPE_CHECKING:
    from harness.history.history import History

HEIGHT = 210.0
_NAMES = 8
_BAD = 40


def cycles_section(history: History) -> Markup | None:
    """Chart, table of durations and table of the steps that went wrong; None without steps."""
    found = history.of(Step)
    if not found:
        return None
    bad = [s for s in found if s.status is not Status.OK]
    rows = [
        (f"cycle {s.cycle}", s.step, s.status.value, duration(s.end - s.start), _told(s)) for s in bad[:_BAD]
    ]
    wrong = (
        table(f"Steps that went wrong ({len(bad)})", ("cycle", "step", "ended", "took", "detail"), rows)
        if bad
        else None
    )
    return join(_chart(found), percentile_table(steps(history), "Durations of the steps that went well"), wrong)


def _word(step: Step) -> str:
    return step.step.partition(" ")[0]


def _told(step: Step) -> str:
    return ", ".join(f"{key}={value}" for key, value in step.detail.items())[:300]


def _chart(found: Sequence[Step]) -> Markup:
    names = list(dict.fromkeys(_word(s) for s in found))[:_NAMES]
    first, last = min(s.cycle for s in found), max(s.cycle for s in found)
    span = Span(first - 0.5, last + 0.5)
    scale = log_around([s.end - s.start for s in found], HEIGHT, 8.0, floor=1e-4)
    dots = [
        _dots([s for s in found if _word(s) == name and s.status is Status.OK], span, scale, f"s{n}")
        for n, name in enumerate(names)
    ]
    bad = [s for s in found if s.status is not Status.OK]
    keys = [Key(f"s{n}", name) for n, name in enumerate(names)] + ([Key("bad", "went wrong")] if bad else [])
    below = [Tick(span.share(v), count(v)) for v in nice_ticks(first, last, 8) if float(v).is_integer()]
    about = f"{plural(last - first + 1, 'cycle')}, {plural(len(found), 'step')}, {len(bad)} of them went wrong."
    return chart(
        "Steps by cycle",
        about,
        HEIGHT,
        Layers(data=join(dots, _dots(bad, span, scale, "bad"))),
        below=below,
        keys=keys,
        beside=[Tick(scale(v), duration(v)) for v in scale.ticks(5)],
        readout=_readout(found, names, span),
        note="duration of each step, logarithmic",
    )


def _dots(found: Sequence[Step], span: Span, scale: Log, style: str) -> Markup:
    places = dict.fromkeys((number(span.units(s.cycle)), number(scale(s.end - s.start))) for s in found)
    path = "".join(f"M{x} {y}h.1" for x, y in places)
    return tag("path", d=path, class_=f"points {style}") if path else Markup()


def _readout(found: Sequence[Step], names: Sequence[str], span: Span) -> Readout:
    numbers = sorted({s.cycle for s in found})
    numbers = numbers[:: -(-len(numbers) // 400)]
    took: dict[tuple[int, str], str] = {}
    for step in found:
        mark = "" if step.status is Status.OK else f" ({step.status.value})"
        took[step.cycle, _word(step)] = duration(step.end - step.start) + mark
    series = [(name, [took.get((n, name), "") for n in numbers]) for name in names]
    return Readout([span.share(n) for n in numbers], [f"cycle {n}" for n in numbers], series)
