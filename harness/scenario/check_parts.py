"""The parts of a scenario that say what must hold: ``steady``, ``checks``, ``thresholds``, ``known``."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.scenario.misfit import Misfit
from harness.scenario.parts import Model, Whole
from harness.scenario.values import Comparison, Expectation, Length, PositiveLength


class Expect(Model):
    """``{within: 15s, expect: {registered-handlers: 5}}``; ``after`` names heals (glob) to measure from."""

    within: PositiveLength
    expect: dict[str, Expectation] = Field(min_length=1)
    after: str = ""


def _one_check(value: Any) -> Any:
    if not isinstance(value, str | dict) or len(value) == 0:
        raise Misfit(
            "not a check",
            expected="a name, or a name with arguments such as {runs-per-job: {max: 1}}",
            found=value,
        )
    if isinstance(value, dict) and len(value) != 1:
        names = ", ".join(str(name) for name in value)
        raise Misfit(
            f"one entry names one check, not {len(value)} ({names})", hint="write each on a line of its own"
        )
    return value


CheckSpec = Annotated[str | dict[str, Any], BeforeValidator(_one_check)]
"""``no-lost-job`` or ``{runs-per-job: {max: 1}}``."""


class Checks(Model):
    """What must hold, by when it is judged. `sometimes` names things that must be seen at least once."""

    always: tuple[CheckSpec, ...] = ()
    eventually: tuple[Expect, ...] = ()
    finally_: tuple[CheckSpec, ...] = Field(default=(), alias="finally")
    each: tuple[CheckSpec, ...] = ()
    sometimes: tuple[str, ...] = ()


class Abort(Model):
    """Stop the run when the threshold has been broken for ``after``."""

    after: Length


class Threshold(Model):
    """A bound on a metric: ``p99 < 400ms``, or the long form with ``min_samples`` and ``abort``."""

    expr: Comparison
    min_samples: Whole = Field(default=1, gt=0)
    abort: Abort | None = None


def _threshold(value: Any) -> Any:
    return value if isinstance(value, dict | Threshold) else {"expr": value}


ThresholdSpec = Annotated[Threshold, BeforeValidator(_threshold, json_schema_input_type=Comparison | Threshold)]
"""A `Threshold`, or its ``expr`` alone."""


def _date(value: Any) -> Any:
    """A text that is a date becomes one; any other is a version."""
    is_date = isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
    if not is_date:
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Misfit("no such day", expected="a date such as 2027-01-31, or a version", found=value) from None


class Known(Model):
    """A strict expected failure; ``until`` is the date or version that ends it. Passing is then a failure."""

    issue: str
    until: Annotated[str | date, BeforeValidator(_date)]
    expect: Literal["fail"] = "fail"
