"""Rules that stop a run early: a machine too busy to measure on, a disk about to fill, a threshold broken for too
long."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.errors import UsageError
from harness.history.metrics import metric
from harness.history.recorder import Recorder
from harness.scenario.model import Scenario, Threshold
from harness.scenario.values import Comparison, parse_duration

_SIZES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
_RULE = re.compile(r"\s*(<|>|<=|>=)\s*([\d.]+)\s*(%|kB|MB|GB)\s*(?:for\s+(\S+))?\s*")


@dataclass
class Rule:
    """A condition that must not hold for `patience` seconds on end; `broken` tells whether it holds now."""

    text: str
    broken: Callable[[], bool]
    patience: float
    since: float | None = None

    def tripped(self, now: float) -> bool:
        """Whether the condition has held for `patience` seconds at time `now`."""
        if not self.broken():
            self.since = None
            return False
        self.since = now if self.since is None else self.since
        return now - self.since >= self.patience


def rules(scenario: Scenario, recorder: Recorder, folder: Path) -> list[Rule]:
    """Every rule of the scenario: ``abort_if`` and the thresholds with ``abort``. Raises `UsageError` for one that
    cannot be read."""
    found = [_machine_rule(name, text, folder) for entry in scenario.abort_if for name, text in entry.items()]
    for subject, thresholds in scenario.thresholds.items():
        found += [_threshold_rule(scenario, recorder, subject, t) for t in thresholds if t.abort]
    return found


def _machine_rule(name: str, text: str, folder: Path) -> Rule:
    match = _RULE.fullmatch(text)
    readers: dict[str, Callable[[], float]] = {
        "harness-cpu": lambda: process.cpu_percent() / 100,
        "free-disk": lambda: float(shutil.disk_usage(folder).free),
    }
    if not match or name not in readers:
        raise UsageError(
            f"abort_if: expected harness-cpu or free-disk with a bound such as '> 90% for 20s', found {name}: {text!r}"
        )
    process = psutil.Process()
    process.cpu_percent()  # the first reading only sets the mark
    scale = _SIZES.get(match[3], 0.01)
    bound = Comparison.parse(f"value {match[1]} {float(match[2]) * scale:f}")
    read = readers[name]
    return Rule(f"{name} {text}", lambda: bound.holds(read()), parse_duration(match[4]) if match[4] else 0.0)


def _threshold_rule(scenario: Scenario, recorder: Recorder, subject: str, threshold: Threshold) -> Rule:
    def broken() -> bool:
        series = metric(recorder.snapshot(), scenario, subject)
        if series.samples < threshold.min_samples:
            return False
        value = series.stat(threshold.expr.subject)
        return value is not None and not threshold.expr.holds(value)

    assert threshold.abort is not None
    return Rule(f"{subject} {threshold.expr} was broken", broken, threshold.abort.after)


async def watch(watched: Iterable[Rule], *, interval: float = 1.0) -> str:
    """Return the text of the first rule that trips; waits for ever when none does."""
    loop = asyncio.get_running_loop()
    rules_ = list(watched)
    while not rules_:  # for a month of virtual time, a look a second at nothing is what costs most
        await asyncio.Event().wait()
    while True:
        for rule in rules_:
            if rule.tripped(loop.time()):
                return rule.text
        await asyncio.sleep(interval)
