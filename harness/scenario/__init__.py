"""What to do: the typed model of a scenario, and the files it is written in.

`load` reads a file, `Scenario` is what it holds; `harness.scenario.dump.dump` writes it again. Everything is
imported when it is first asked for, so that a name of this room costs nothing until it is used.

>>> from harness.scenario import load_text
>>> [loaded.scenario.name for loaded in load_text('''
... scenario: 1
... name: load.little
... kind: load
... target: {driver: schedule_zero}
... workload: [{id: calls, op: job.submit, model: once, count: 5}]
... thresholds: {calls.latency: [p99 < 1s]}
... ''')]
['load.little']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.scenario.explain import Drawn as Drawn
    from harness.scenario.explain import TimelineEntry as TimelineEntry
    from harness.scenario.explain import timeline as timeline
    from harness.scenario.loader import LoadedScenario as LoadedScenario
    from harness.scenario.loader import ScenarioSource as ScenarioSource
    from harness.scenario.loader import check as check
    from harness.scenario.loader import load as load
    from harness.scenario.loader import load_text as load_text
    from harness.scenario.model import Kind as Kind
    from harness.scenario.model import Scenario as Scenario
    from harness.scenario.model import World as World
    from harness.scenario.problems import Problem as Problem
    from harness.scenario.problems import ScenarioProblems as ScenarioProblems
    from harness.scenario.schema import json_schema as json_schema
    from harness.scenario.streams import Streams as Streams
    from harness.scenario.values import FakerRef as FakerRef
    from harness.scenario.vocabulary import CheckWords as CheckWords
    from harness.scenario.vocabulary import DriverWords as DriverWords
    from harness.scenario.vocabulary import FaultWords as FaultWords
    from harness.scenario.vocabulary import Vocabulary as Vocabulary

_HOME = {
    "explain": ("Drawn", "TimelineEntry", "timeline"),
    "loader": ("LoadedScenario", "ScenarioSource", "check", "load", "load_text"),
    "model": ("Kind", "Scenario", "World"),
    "problems": ("Problem", "ScenarioProblems"),
    "schema": ("json_schema",),
    "streams": ("Streams",),
    "values": ("FakerRef",),
    "vocabulary": ("CheckWords", "DriverWords", "FaultWords", "Vocabulary"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
