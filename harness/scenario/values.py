"""The small notations of a scenario file: durations, spans, rates, odds, comparisons, Faker references.

Each is an annotated type: pydantic parses the text, JSON gets the text back, and the JSON Schema holds the pattern.
Python callers may give plain seconds; in a YAML file a bare number for time is refused (the loader passes ``{"yaml": True}``
as validation context).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = rf"{_NUMBER}(?:us|ms|s|min|m|h|d)"
_DURATION_RE = re.compile(rf"\s*(-?)({_NUMBER})\s*(us|ms|s|min|m|h|d)\s*")
_RATE_RE = re.compile(rf"\s*({_NUMBER})\s*/\s*(s|min|m|h)\s*")
_ODDS_RE = re.compile(rf"\s*({_NUMBER})\s*%\s*")


def parse_duration(text: str) -> float:
    """Seconds in `text`: ``250ms``, ``2s``, ``5min``, ``2m``, ``-90s``.

    >>> parse_duration("250ms"), parse_duration("2m")
    (0.25, 120.0)
    """
    match = _DURATION_RE.fullmatch(text)
    if not match:
        raise ValueError(f"expected a duration such as 250ms, 2s or 5min, found {text!r}")
    value = round(float(match[2]) * _UNITS[match[3]], 9)
    return -value if match[1] else value


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back as `seconds`.

    >>> format_duration(0.25), format_duration(120.0), format_duration(90)
    ('250ms', '2min', '90s')
    """
    for unit in ("h", "min", "s", "ms"):
        value = seconds / _UNITS[unit]
        if abs(value) >= 1 and float(value).is_integer():
            return f"{int(value)}{unit}"
    return f"{seconds:g}s"


def _no_bare_number(value: Any, info: ValidationInfo, example: str) -> None:
    if isinstance(value, bool) or (isinstance(value, int | float) and (info.context or {}).get("yaml")):
        raise ValueError(f"a bare number says no unit: write it like {example}")


def _duration(value: Any, info: ValidationInfo) -> Any:
    _no_bare_number(value, info, "250ms, 2s or 5min")
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": rf"^-?{_DURATION}$", "examples": ["250ms", "2s", "5min"]}),
]
"""Seconds; ``250ms``, ``2s``, ``5min`` in YAML."""


def _odds(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        match = _ODDS_RE.fullmatch(value)
        if not match:
            raise ValueError(f"expected odds such as 2% or 0.5%, found {value!r}")
        value = float(match[1]) / 100
    elif (info.context or {}).get("yaml"):
        raise ValueError("expected odds in per cent, such as 2%")
    if not 0 <= float(value) <= 1:
        raise ValueError("odds lie between 0% and 100%")
    return value


Odds = Annotated[
    float,
    BeforeValidator(_odds),
    PlainSerializer(lambda o: f"{o * 100:g}%", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": rf"^{_NUMBER}%$", "examples": ["2%"]}),
]
"""A probability from 0 to 1; ``2%`` in YAML."""


class _Text:
    """Base of values that are written as one string: gives pydantic its parser, its text and its schema."""

    pattern: str = ".*"
    examples: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Any:
        """Read `text`; raises ValueError with what was expected and found."""
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any, info: core_schema.ValidationInfo) -> Any:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str):
                raise ValueError(f"expected text such as {cls.examples[0]!r}, found {value!r}")  # noqa: TRY004 - pydantic collects ValueErrors
            return cls.parse(value)

        return core_schema.with_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": cls.pattern, "examples": list(cls.examples)}


@dataclass(frozen=True)
class Span(_Text):
    """A range of durations in seconds, ``1ms..4ms``; a single duration is a range of one."""

    low: float
    high: float
    pattern = rf"^{_DURATION}(\.\.{_DURATION})?$"
    examples = ("1ms..4ms", "2s")

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read ``a..b`` or ``a``."""
        low, _, high = text.partition("..")
        span = cls(parse_duration(low), parse_duration(high or low))
        if span.low > span.high:
            raise ValueError(f"the range {text!r} ends before it begins")
        return span

    def __str__(self) -> str:
        low, high = format_duration(self.low), format_duration(self.high)
        return low if low == high else f"{low}..{high}"


@dataclass(frozen=True)
class Count(_Text):
    """A range of whole numbers, ``0..5``, or one number."""

    low: int
    high: int
    pattern = r"^\d+(\.\.\d+)?$"
    examples = ("0..5",)

    @classmethod
    def parse(cls, text: str) -> Count:
        """Read ``a..b`` or ``a``."""
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", text)
        if not match:
            raise ValueError(f"expected a count such as 3 or 0..5, found {text!r}")
        count = cls(int(match[1]), int(match[2] or match[1]))
        if count.low > count.high:
            raise ValueError(f"the range {text!r} ends before it begins")
        return count

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}..{self.high}"


@dataclass(frozen=True)
class Rate(_Text):
    """Arrivals a second, constant (``20/s``) or a straight ramp (``20/s -> 40/s``)."""

    start: float
    end: float
    pattern = rf"^{_NUMBER}/(s|min|m|h)( *-> *{_NUMBER}/(s|min|m|h))?$"
    examples = ("20/s", "20/s -> 40/s")

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``n/s`` or ``n/s -> m/s``."""
        values = []
        for part in text.split("->"):
            match = _RATE_RE.fullmatch(part)
            if not match:
                raise ValueError(f"expected a rate such as 20/s or 20/s -> 40/s, found {text!r}")
            values.append(float(match[1]) / _UNITS[match[2]])
        if len(values) > 2 or not max(values) > 0:
            raise ValueError(f"expected one rate above zero or a ramp between two, found {text!r}")
        return cls(values[0], values[-1])

    def __str__(self) -> str:
        return f"{self.start:g}/s" if self.start == self.end else f"{self.start:g}/s -> {self.end:g}/s"


class Unit(str, Enum):
    """What a bound is measured in."""

    SECONDS = "s"
    RATIO = "ratio"
    NUMBER = "number"


_OPERATORS = ("<=", ">=", "==", "<", ">")


@dataclass(frozen=True)
class Comparison(_Text):
    """``subject operator bound``: ``p99 < 400ms``, ``ratio < 1%``, ``max <= 16s``, ``rate > 20/s``, ``>= 3``, ``5``.

    A missing subject is ``value``, a missing operator ``==``. ``bound`` is in seconds, a ratio from 0 to 1, or a number.
    """

    subject: str
    operator: str
    bound: float
    unit: Unit
    pattern = r"^[a-z0-9.]* *(<=|>=|==|<|>)? *-?\d+(\.\d+)?[a-z%/]*$"
    examples = ("p99 < 400ms", "ratio < 1%", ">= 3")

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Read one comparison."""
        match = re.fullmatch(r"\s*([a-z][a-z0-9.\-]*)?\s*(<=|>=|==|<|>)?\s*(-?[\d.]+\s*[a-z%/]*)\s*", text)
        if not match or (match[1] and not match[2]):
            raise ValueError(f"expected a comparison such as 'p99 < 400ms' or '>= 3', found {text!r}")
        bound, unit = _bound(match[3])
        return cls(match[1] or "value", match[2] or "==", bound, unit)

    def holds(self, value: float) -> bool:
        """Whether `value` (seconds, ratio or number) satisfies the bound."""
        compare = {"<": value < self.bound, "<=": value <= self.bound, ">": value > self.bound}
        return {**compare, ">=": value >= self.bound, "==": value == self.bound}[self.operator]

    def __str__(self) -> str:
        bound = {
            Unit.SECONDS: format_duration(self.bound),
            Unit.RATIO: f"{self.bound * 100:g}%",
            Unit.NUMBER: f"{self.bound:g}",
        }[self.unit]
        return bound if (self.subject, self.operator) == ("value", "==") else f"{self.subject} {self.operator} {bound}"


def _bound(text: str) -> tuple[float, Unit]:
    text = text.strip()
    if _DURATION_RE.fullmatch(text):
        return parse_duration(text), Unit.SECONDS
    if match := _ODDS_RE.fullmatch(text):
        return float(match[1]) / 100, Unit.RATIO
    if match := _RATE_RE.fullmatch(text):
        return float(match[1]) / _UNITS[match[2]], Unit.NUMBER
    try:
        return float(text), Unit.NUMBER
    except ValueError:
        raise ValueError(f"expected a number, a duration, a rate or a percentage, found {text!r}") from None


def _expectation(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Expectation = Annotated[Comparison, BeforeValidator(_expectation)]
"""A `Comparison` that may be written as a bare number: ``{registered-handlers: 5}``."""

CountRange = Annotated[Count, BeforeValidator(_expectation)]
"""A `Count` that may be written as a bare number: ``count: 5``."""


@dataclass(frozen=True)
class FakerRef:
    """``!faker iban``: a value drawn from Faker's provider of that name at every call, from the run's seed."""

    provider: str
    args: tuple[Any, ...] = ()
