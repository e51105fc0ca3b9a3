"""Where the bars of executions stand in a picture, in per cent of its width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.web.wording import outcome, span

__all__ = ["Bar", "Lane", "Timeline", "strip", "timeline"]

#: Lanes that are drawn; beyond that a picture is no help.
MOST_LANES = 12
#: Per cent that a bar is wide at least, some three pixels: a job of milliseconds in an hour would not be seen, nor hit.
LEAST_WIDTH = 0.4


@dataclass(frozen=True)
class Bar:
    """A bar; `x`, `width` and `height` are per cent, `kind` the class of its outcome."""

    job_id: str
    kind: str
    title: str
    x: float
    width: float
    height: float = 100.0


@dataclass(frozen=True)
class Lane:
    """The executions of one handler."""

    handler_id: str
    bars: list[Bar]


@dataclass(frozen=True)
class Timeline:
    """Lanes from `begin` to `end`; `hidden` is how many more handlers there are."""

    begin: datetime
    end: datetime
    lanes: list[Lane]
    hidden: int

    @property
    def seconds(self) -> float:
        """How much time it shows."""
        return (self.end - self.begin).total_seconds()


def strip(latest: Sequence[ExecutionRecord]) -> list[Bar]:
    """One bar an execution, the latest at the right, as high as it took long beside the others."""
    if not latest:
        return []
    width = 100.0 / max(len(latest), 30)
    longest = max((_seconds(record) for record in latest), default=0.0) or 1.0
    bars = []
    for number, record in enumerate(latest):
        # The root, so that the short ones are seen beside a long one.
        height = 25.0 + 75.0 * (_seconds(record) / longest) ** 0.5
        bars.append(_bar(record, 100.0 - (number + 1) * width, width * 0.8, height))
    return bars[::-1]


def timeline(records: Sequence[ExecutionRecord]) -> Timeline | None:
    """The executions by handler and time; None when there is none."""
    if not records:
        return None
    begin, end = min(map(_begin, records)), max(map(_end, records))
    whole = (end - begin).total_seconds() or 1.0
    lanes: dict[str, list[Bar]] = {}
    for record in reversed(records):
        width = max(LEAST_WIDTH, 100.0 * _seconds(record) / whole)
        x = min(100.0 * (_begin(record) - begin).total_seconds() / whole, 100.0 - width)
        bar = _bar(record, x, width)
        lanes.setdefault(record.handler_id, []).append(bar)
    shown = [Lane(handler_id, lanes[handler_id]) for handler_id in sorted(lanes)[:MOST_LANES]]
    return Timeline(begin, end, shown, len(lanes) - len(shown))


def _bar(record: ExecutionRecord, x: float, width: float, height: float = 100.0) -> Bar:
    kind, word = outcome(record.outcome)
    title = f"{record.handler_id}.{record.method}: {word}, {span(_seconds(record))}"
    return Bar(record.job_id, kind, title, round(max(0.0, x), 3), round(max(0.0, width), 3), round(height, 1))


def _seconds(record: ExecutionRecord) -> float:
    return max(0.0, (_end(record) - _begin(record)).total_seconds())


def _begin(record: ExecutionRecord) -> datetime:
    return record.started_at or _end(record)


def _end(record: ExecutionRecord) -> datetime:
    assert record.ended_at is not None, f"job {record.job_id} is finished and has no end"
    return record.ended_at
