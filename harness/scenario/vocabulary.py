"""The words a scenario may use: which drivers, operations, faults, checks and names exist, and what each takes.

The scenario room knows none of them itself. Whoever loads a file for running gathers a `Vocabulary` from the
registries; without one, only shapes are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel

from harness.scenario.parts import World

SECTIONS = ("always", "finally", "each", "then")
"""Where a check may stand; ``then`` is the top-level key of a regression."""
NAMES_CALLS = {"names": "calls"}
"""``json_schema_extra`` of an argument whose value must be the id of a workload or step of the same file."""
ONLY_IN = "only_in"
"""Key in the ``json_schema_extra`` of an option: by its value, the names of the worlds in which that can be had.

>>> from pydantic import Field
>>> Field(default="file", json_schema_extra={ONLY_IN: {"server": ["real"]}}).default
'file'
"""
NOT_BESIDE = "not_beside"
"""Key in the ``json_schema_extra`` of an option of the scheduler: the names of the keys of ``target`` beside which it
has no meaning, since they decide it themselves. To give both is refused.
"""


@dataclass(frozen=True)
class DriverWords:
    """What one driver understands.

    Extra keys of ``target``, keys of ``topology.scheduler``, and operations with their arguments.
    ``handler_options`` and ``governor_options`` are further keys of ``topology.handlers`` and
    ``target.governor``; without a model there are none. ``places`` are what a fault may point at besides the
    handlers, with the kind of each, ``methods`` what the driver's own mock handlers can be asked for; empty: not
    checked. ``reserved`` are names besides those of ``places`` that no handler can have.
    """

    about: str
    worlds: tuple[World, ...]
    options: type[BaseModel]
    scheduler_options: type[BaseModel]
    ops: Mapping[str, type[BaseModel]]
    handler_options: type[BaseModel] | None = None
    governor_options: type[BaseModel] | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    reserved: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FaultWords:
    """What one kind of fault takes; ``accepts`` are the kinds of place: process, handler, socket, store."""

    about: str
    worlds: tuple[World, ...]
    args: type[BaseModel]
    accepts: tuple[str, ...] = ()
    takes_trigger: bool = False
    triggers: frozenset[str] = frozenset()
    """For a kind that waits inside the process: the events it can wait for there."""


@dataclass(frozen=True)
class CheckWords:
    """What one check takes, and in which of `SECTIONS` it may stand; ``args`` None: it takes no arguments."""

    about: str
    args: type[BaseModel] | None
    sections: frozenset[str]


@dataclass(frozen=True)
class Vocabulary:
    """All words.

    ``samples`` are numbers that can be expected (``registered-handlers``), ``events`` what ``sometimes`` may
    name, ``triggers`` what ``when: {event: ...}`` may name besides ends of calls and heals (empty: not checked),
    ``mocks`` the behaviours of mock handlers.
    """

    drivers: Mapping[str, DriverWords] = field(default_factory=dict)
    faults: Mapping[str, FaultWords] = field(default_factory=dict)
    checks: Mapping[str, CheckWords] = field(default_factory=dict)
    samples: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    mocks: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()


class Measure(StrEnum):
    """What a metric is made of, and so which statistics and units a threshold on it may use."""

    DURATIONS = "durations"
    RATIO = "ratio"
    RATE = "rate"


WORKLOAD_METRICS: Mapping[str, Measure] = {
    "latency": Measure.DURATIONS,
    "completion": Measure.DURATIONS,
    "lateness": Measure.DURATIONS,
    "errors": Measure.RATIO,
    "unknowns": Measure.RATIO,
    "dropped": Measure.RATIO,
    "job-errors": Measure.RATIO,
    "rate": Measure.RATE,
}
"""What can be measured of every workload: the second word of a threshold such as ``steady.latency``."""

CYCLE_METRICS = (
    "start.ready",
    "stop.exit",
    "restart.ready",
    "add.ready",
    "remove.gone",
    "bounce.ready",
    "crash.ready",
)
"""Durations of the steps of a life cycle."""
