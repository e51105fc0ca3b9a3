"""What a check is: a name, its arguments, where it may stand, and a pure function from a history to a finding.

A package adds checks with an entry point of the group ``harness.checks`` that names a `Check`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.checks.around import Surroundings
from harness.checks.evidence import Finding
from harness.errors import UsageError
from harness.history.history import History
from harness.history.jobs import JobBook

if TYPE_CHECKING:
    from harness.scenario.model import CheckSpec, Scenario

ENTRY_POINTS = "harness.checks"
"""The group under which other packages register checks."""


class Section(StrEnum):
    """Where in a scenario a check may stand."""

    ALWAYS = "always"
    EVENTUALLY = "eventually"
    FINALLY = "finally"
    EACH = "each"
    SOMETIMES = "sometimes"
    THRESHOLDS = "thresholds"
    THEN = "then"


LASTING = frozenset({Section.ALWAYS, Section.FINALLY, Section.THEN})
"""The sections of a check that judges the run as a whole."""
AFTER_STOP = frozenset({Section.FINALLY, Section.EACH, Section.THEN})
"""The sections of a check that judges what a stop left, at the end or after each cycle."""


class Args(BaseModel):
    """Base of a check's arguments: unknown keys are refused; the fields become the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Case:
    """What is judged: a history, the scenario it was played from, and the section that the check stands in."""

    history: History
    scenario: Scenario
    section: Section

    @cached_property
    def book(self) -> JobBook:
        """The stories of all jobs."""
        return JobBook(self.history)

    @cached_property
    def around(self) -> Surroundings:
        """The faults of the run, to be named beside what happened under them."""
        return Surroundings(self.history)

    def within(self, section: Section) -> Case:
        """The same case in another section; what was worked out already is kept."""
        other = Case(self.history, self.scenario, section)
        for name in ("book", "around"):
            other.__dict__[name] = getattr(self, name)
        return other


@dataclass(frozen=True)
class Check:
    """One thing that can be demanded of a run.

    `args` is the model of its arguments, None if it has none. A scalar in the file (``registered-handlers: 5``)
    stands for the model's first field.
    """

    name: str
    about: str
    judge: Callable[[Case, Any], Finding]
    sections: frozenset[Section] = LASTING
    args: type[Args] | None = None

    def parse(self, value: Any) -> Args | None:
        """The arguments as the file gives them; raises `UsageError` naming what is wrong with them."""
        if self.args is None:
            if value not in (None, {}):
                raise UsageError(f"the check {self.name} takes no arguments, found {value!r}")
            return None
        if value is not None and not isinstance(value, Mapping):
            value = {next(iter(self.args.model_fields)): value}
        try:
            return self.args.model_validate(value or {})
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
                for problem in error.errors()
            )
            raise UsageError(f"the check {self.name}: {problems}") from error


def spelled(spec: CheckSpec) -> tuple[str, Any]:
    """Name and arguments of a check as a scenario file writes them.

    >>> spelled("no-lost-job"), spelled({"runs-per-job": {"max": 1}})
    (('no-lost-job', None), ('runs-per-job', {'max': 1}))
    """
    if isinstance(spec, str):
        return spec, None
    if len(spec) != 1:
        raise UsageError(f"expected one check, such as {{runs-per-job: {{max: 1}}}}, found {spec!r}")
    return next(iter(spec.items()))


def registered() -> dict[str, Check]:
    """All checks by name: those of the harness and those of other packages."""
    from harness.checks.registry import checks  # the registry imports every check, and each of them this module

    return checks()


def sometimes_names() -> frozenset[str]:
    """The names that the harness knows ways to see; any other name under ``sometimes`` is that of an event."""
    from harness.checks.sometimes import KNOWN

    return frozenset(KNOWN)
