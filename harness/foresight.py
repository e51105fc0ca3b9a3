"""What scenario files show beforehand of runs that could prove nothing."""

from __future__ import annotations

from collections.abc import Iterable

from harness.faults.foresight import Foreseen, foresee
from harness.runner import planned_length
from harness.scenario.loader import LoadedScenario
from harness.scenario.problems import Problem, ScenarioProblems


def foreseen(loaded: LoadedScenario) -> tuple[Foreseen, ...]:
    """The loads and faults of a scenario that are known beforehand not to come to pass, or perhaps not."""
    return foresee(loaded.scenario, planned_length(loaded.scenario))


def refuse_the_futile(scenarios: Iterable[LoadedScenario]) -> list[str]:
    """Raise `ScenarioProblems` with every fault that cannot strike and every load that must be cut.

    Returns one line for each fault that may not strike.

    Runs are not refused for it: a load that was shortened by an override leaves out what comes later, and the check
    ``faults-injected`` says so.
    """
    problems, warnings = [], []
    for loaded in scenarios:
        for one in foreseen(loaded):
            name, _, number = one.path.partition(".")
            if one.certain:
                place = loaded.source.positions.value((name, int(number)))
                problems.append(Problem(place, one.text, (name, int(number))))
            else:
                warnings.append(f"{loaded.source.path}:{loaded.line_of(one.path)}: {one.text}")
    if problems:
        raise ScenarioProblems(problems)
    return warnings
