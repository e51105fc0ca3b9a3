"""The parts of a scenario that say what goes wrong: ``faults``, ``nemesis``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from harness.scenario.misfit import Misfit
from harness.scenario.parts import Flag, Model, Name, OpenModel, Whole
from harness.scenario.values import Length, Odds, PositiveLength, Span


class When(Model):
    """A trigger: the nth time `event` occurs, or each time with the given odds."""

    event: str
    nth: Whole | None = Field(default=None, gt=0)
    odds: Odds | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.nth is None) == (self.odds is None):
            raise Misfit("`when` needs exactly one of `nth` and `odds`")
        return self


HEAL_PATTERN = r"^[a-z0-9._\-*?]+\.heal$"


class FaultSpec(OpenModel):
    """One fault: what, where, when, for how long. Keys of the kind itself are in `options`."""

    id: Name
    kind: str
    where: str | dict[str, Whole | str] = ""
    at: Length | None = None
    every: Span | None = None
    start: Length | None = Field(default=None, alias="from")
    end: Length | None = Field(default=None, alias="to")
    when: When | None = None
    after: str | None = Field(default=None, pattern=HEAL_PATTERN)
    length: PositiveLength | None = Field(default=None, alias="for")
    keep: Flag = False

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        triggers = {"at": self.at, "every": self.every, "when": self.when, "after": self.after}
        given = [key for key, value in triggers.items() if value is not None]
        if self.start is not None and "at" in given:
            given = ["at", "from"]
        if len(given) > 1:
            raise Misfit(
                f"a fault has one trigger, not {' and '.join(f'`{key}`' for key in given)}",
                at=(given[1],),
                key=True,
            )
        if not given and self.start is None:
            raise Misfit("nothing says when", expected="`at`, `every`, `from` with `to`, `when` or `after`")
        return self

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.end is not None and self.start is None and self.every is None and self.when is None:
            raise Misfit("`to` needs `from`", at=("to",), key=True)
        if self.start is not None and self.end is None and self.every is None and self.when is None:
            raise Misfit("`from` needs `to`", at=("from",), key=True)
        if self.end is not None and self.end <= (self.start or 0.0):
            raise Misfit(
                "the window ends before it begins", expected=f"more than {self.start or 0.0:g}s", at=("to",)
            )
        if self.every is not None and self.every.low <= 0:
            raise Misfit(
                "`every` leaves no time between two faults", expected="such as 45s..75s", at=("every",)
            )
        if self.keep and self.length is not None:
            raise Misfit(
                "a fault that is kept has no length: give `for` or `keep: true`", at=("keep",), key=True
            )
        return self

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if isinstance(self.where, dict) and len(self.where) != 1:
            raise Misfit(
                "expected one group", expected="such as {handlers: 2}", found=dict(self.where), at=("where",)
            )
        return self


class Nemesis(Model):
    """How the fault plan is drawn.

    ``swarm`` takes a random subset of the faults per seed, never more than ``overlap`` at once, with
    ``quiet`` between.
    """

    swarm: Flag = False
    overlap: Whole | None = Field(default=None, gt=0)
    quiet: Length = 0.0
