"""Two sides measured in turn on one machine, and their ratio held against a target."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Side:
    """One side of a comparison: all its measurements, in the order they were taken."""

    name: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one: a noisy neighbour spoils single rounds, not this."""
        return statistics.median(self.values)


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Side]:
    """Measure every side once a round, `rounds` times, so that a slow minute of the machine is slow for all.

    The order turns round with every round: whoever comes second would otherwise always find warm caches.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=number % 2 == 1):
            taken[name].append(sides[name]())
    return {name: Side(name, tuple(values)) for name, values in taken.items()}


@dataclass(frozen=True)
class Goal:
    """A row of the table of goals: the ratio of `ours` to `peer` must be at least, or at most, `target`."""

    row: str
    ours: str
    peer: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether `ratio` reaches the target."""
        high_enough = self.at_least is None or ratio >= self.at_least
        return high_enough and (self.at_most is None or ratio <= self.at_most)

    @property
    def target(self) -> str:
        """The target as it stands in the table."""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


def show(title: str, unit: str, sides: Mapping[str, Side], goals: list[Goal]) -> bool:
    """Print both sides and every ratio against its target; whether all are met.

    The ratio is the median of the ratios within each round, which a change of the machine's pace between
    rounds leaves alone; the sides are shown with their own medians and ranges.
    """
    print(title)
    width = max(len(name) for name in sides)
    for side in sides.values():
        low, high = min(side.values), max(side.values)
        spread = f"({low:,.4g} .. {high:,.4g}, {len(side.values)} rounds)"
        print(f"  {side.name:<{width}}  {side.median:>10,.4g} {unit}   {spread}")
    met = True
    for goal in goals:
        pairs = zip(sides[goal.ours].values, sides[goal.peer].values, strict=True)
        ratio = statistics.median(ours / peer for ours, peer in pairs)
        met &= goal.met(ratio)
        verdict = "met" if goal.met(ratio) else "NOT met"
        print(f"  {goal.row}  {goal.ours} / {goal.peer} = {ratio:.3f}   target {goal.target}: {verdict}")
    return met


@contextmanager
def served(script: Path, what: str) -> Iterator[str]:
    """A child process that runs ``script --serve what`` and prints its address; it ends with this process."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, str(script), "--serve", what]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH":
        path}
    )
    assert child.stdin is not None
    assert child.stdout is not None
    deadline = threading.Timer(15.0, child.kill)
    deadline.start()
    try:
        address = child.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{' '.join(command)} did not print its address within 15 s")
        deadline.cancel()
        yield address
    finally:
        deadline.cancel()
        child.stdin.close()
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def until_parent_leaves() -> None:
    """Block until the process that started this one closes our standard input, or ends."""
    sys.stdin.read()
