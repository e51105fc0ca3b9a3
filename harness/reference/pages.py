"""Fills the marked places of a page with what the code says.

A page is written by hand around ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between
the two is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from harness.errors import UsageError
from harness.reference import commands, http_api, registries, scheduler, simulation, types

BLOCKS: Mapping[str, Callable[[], str]] = {
    "scenario": types.scenario,
    "boundary": registries.boundary,
    "drivers": registries.drivers,
    "commands": commands.commands,
    "environment": commands.environment,
    "pytest-options": commands.pytest_options,
    "markers": commands.markers,
    "faults": registries.faults,
    "checks": registries.checks,
    "sometimes": registries.sightings,
    "mutants": registries.mutants,
    "fixtures": types.fixtures,
    "behaviours": types.behaviours,
    "variants": types.variants,
    "files": types.files,
    "records": types.records,
    "exit-codes": types.exit_codes,
    "http-routes": http_api.routes,
    "http-operations": http_api.operations,
    "http-bodies": http_api.bodies,
    "http-problems": http_api.problems,
    "sim-world": simulation.world,
    "sim-fabric": simulation.fabric,
    "sim-rules": simulation.rules,
    "sim-processes": simulation.processes,
    "sim-disk": simulation.disk,
    "sim-functions": simulation.functions,
    "sim-errors": simulation.errors,
    "sim-fixture": simulation.fixture,
    "scheduler-commands": scheduler.commands,
    "scheduler-exit-codes": scheduler.exit_codes,
    "scheduler-metrics": scheduler.metric_table,
}
"""What can be generated."""

_MARKED = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """The page with every marked place brought up to date. Raises `UsageError` for a name unknown to `BLOCKS`.

    >>> render("no mark at all")
    'no mark at all'
    """
    return _MARKED.sub(_filled, page)


def _filled(match: re.Match[str]) -> str:
    name = match[2]
    if name not in BLOCKS:
        raise UsageError(f"nothing generated is called {name!r}; there are: {', '.join(sorted(BLOCKS))}")
    return f"{match[1]}\n{BLOCKS[name]()}\n\n{match[3]}"
