"""How far each of several runs came, once an interrupt has kept some of them from their end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.errors import ExitCode
from harness.report.console import Line
from harness.report.text import printable


class State(StrEnum):
    """How far a run came."""

    FINISHED = "finished"
    CUT_SHORT = "cut short"
    NOT_BEGUN = "not begun"


_STYLES = {State.FINISHED: "", State.CUT_SHORT: "bold magenta", State.NOT_BEGUN: "bold yellow"}
_MANY = 8


@dataclass(frozen=True)
class Reached:
    """One planned run: the ``file`` it came from, its seed, its world, and how far it came."""

    file: str
    seed: int
    world: str
    state: State


def told(runs: Iterable[Reached]) -> list[Line]:
    """A line for each file, in the order in which they first came; a file with runs of several states counts them.

    >>> from harness.report.console import plain
    >>> runs = [Reached("a.yaml", 1, "sim", State.FINISHED), Reached("a.yaml", 2, "sim", State.NOT_BEGUN)]
    >>> print(plain(told(runs)), end="")
      a.yaml  1 finished, 1 not begun (sim: seed 2)
    """
    files: dict[str, list[Reached]] = {}
    for run in runs:
        files.setdefault(run.file, []).append(run)
    width = max((len(file) for file in files), default=0)
    lines: list[Line] = []
    for file, of_file in files.items():
        states = [state for state in State if any(run.state is state for run in of_file)]
        pieces = [(_words(state, of_file, alone=len(states) == 1), _STYLES[state]) for state in states]
        between = [piece for one in pieces for piece in ((", ", ""), one)][1:]
        lines.append([(f"  {printable(file, 2000):<{width}}  ", ""), *between])
    return lines


def _words(state: State, runs: list[Reached], *, alone: bool) -> str:
    """``cut short`` where that is all there is to say of a file, else ``2 not begun (sim: seeds 4, 5)``."""
    if alone:
        return state.value
    here = [run for run in runs if run.state is state]
    named = "" if state is State.FINISHED else f" ({'; '.join(_seeds(here))})"
    return f"{len(here)} {state.value}{named}"


def _seeds(runs: list[Reached]) -> Iterable[str]:
    by_world: dict[str, list[int]] = {}
    for run in runs:
        by_world.setdefault(run.world, []).append(run.seed)
    for world, seeds in by_world.items():
        shown = ", ".join(map(str, seeds[:_MANY])) + (f", … ({len(seeds)} in all)" if len(seeds) > _MANY else "")
        yield f"{world}: seed{'s' if len(seeds) > 1 else ''} {shown}"


def not_begun(scenario: str, reached: Reached, again: str) -> Mapping[str, Any]:
    """What machines are told of a run that was not begun: the keys of one that was, and no verdict in them."""
    return {
        "scenario": scenario,
        "seed": reached.seed,
        "world": reached.world,
        "outcome": "interrupted",
        "reason": "not begun: an interrupt came before it",
        "checks": [],
        "scenario_seconds": 0.0,
        "wall_seconds": None,
        "exit_code": int(ExitCode.INTERRUPTED),
        "report": None,
        "simulation": None,
        "again": again,
        "state": State.NOT_BEGUN.value,
    }
