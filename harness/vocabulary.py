"""Everything a scenario may name, gathered from the registries of drivers, faults and checks."""

from __future__ import annotations

from harness.checks.registry import checks
from harness.checks.sometimes import KNOWN
from harness.faults import registry as faults
from harness.scenario.vocabulary import CheckWords, DriverWords, FaultWords, Vocabulary
from harness.targets.registry import drivers

SAMPLES = frozenset({"registered-handlers", "backlog"})
"""Numbers that every target's `probe` tells."""
TRIGGERS = frozenset({"process.started", "process.exited"})
"""Events of every target that a fault can wait for, besides the ends of calls and the heals of other faults."""
MOCKS = frozenset({"worker"})


def build() -> Vocabulary:
    """The vocabulary of this installation, with what other packages have registered."""
    return Vocabulary(
        drivers={
            name: DriverWords(
                about=driver.about, worlds=driver.worlds, options=driver.options,
                scheduler_options=driver.scheduler_options, ops={op.name: op.args for op in driver.ops.values()},
                handler_options=driver.handler_options, methods=driver.methods,
                places={place: kind.value for place, kind in driver.places.items()},
                reserved=frozenset(getattr(driver, "reserved", ())),  # a driver need not have any
            )
            for name, driver in drivers().items()
        },
        faults={
            name: FaultWords(
                about=kind.about, worlds=kind.worlds, args=kind.args_model,
                accepts=tuple(place.value for place in kind.accepts), takes_trigger=kind.takes_trigger,
                triggers=kind.triggers,
            )
            for name, kind in faults.kinds().items()
        },
        checks={
            name: CheckWords(about=check.about, args=check.args, sections=frozenset(s.value for s in check.sections))
            for name, check in checks().items()
        },
        samples=SAMPLES,
        events=frozenset(KNOWN),
        mocks=MOCKS,
        triggers=TRIGGERS,
    )
