"""Whether the names of a scenario exist and fit each other: everything that its shape alone cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.scenario import meaning_checks, meaning_faults, meaning_load, meaning_target, meaning_thresholds
from harness.scenario.misfit import Misfit
from harness.scenario.view import View
from harness.scenario.vocabulary import Vocabulary


def misfits(data: Any, vocabulary: Vocabulary | None) -> Iterator[Misfit]:
    """Everything in the plain data of one scenario that names what is not there, or what cannot go together.

    Without a vocabulary only what the file says about itself is checked. ``at`` of each misfit is its path in
    `data`.
    """
    scenario = View(data)
    yield from _sections(scenario)
    yield from meaning_thresholds.misfits(scenario)
    yield from meaning_faults.order_misfits(scenario)
    yield from meaning_checks.heal_misfits(scenario)
    if vocabulary is not None:
        yield from meaning_target.misfits(scenario, vocabulary)
        yield from meaning_load.misfits(scenario, vocabulary)
        yield from meaning_faults.misfits(scenario, vocabulary)
        yield from meaning_checks.misfits(scenario, vocabulary)


def _sections(scenario: View) -> Iterator[Misfit]:
    """Sections that need each other."""
    faults, kind = scenario.get("faults"), scenario.get("kind")
    if scenario.get("nemesis").data is not None and not faults.data:
        yield Misfit("`nemesis` draws from `faults`, and there are none", at=("nemesis",), key=True)
    if faults.data and scenario.get("cycles").data is not None:
        said = "`cycles` are played without `faults`, so none of them would ever strike"
        yield Misfit(said, at=faults.path, key=True)
    if kind.text == "chaos" and not faults.data:
        yield Misfit("a scenario of kind `chaos` needs `faults`", at=kind.path)
    if kind.text == "load" and not scenario.get("workload").data:
        yield Misfit("a scenario of kind `load` needs `workload`", at=kind.path)
    # What stands in a section of `checks` that does not exist is told of there: it was meant to be judged.
    judged = [*scenario.get("checks").mapping.values(), scenario.get("then").data, scenario.get("thresholds").data]
    if not any(judged):
        yield Misfit("nothing is judged, so nothing could fail", expected="`checks`, `thresholds` or `then`")
