"""The small notations of a scenario file: durations, spans, rates, odds, comparisons, Faker references.

Each is an annotated type: pydantic parses the text, JSON gets the text back, and the JSON Schema holds the
pattern. Python callers may give plain seconds; in a YAML file a bare number for time is refused (the loader
passes ``{"yaml": True}`` as validation context).
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import CoreSchema, core_schema

from harness.scenario.misfit import Misfit
from harness.scenario.numerals import NUMBER as _NUMBER
from harness.scenario.numerals import plain, scaled, shortest

_UNITS = {"us": "0.000001", "ms": "0.001", "s": "1", "min": "60", "m": "60", "h": "3600", "d": "86400"}
_DURATION = rf"{_NUMBER}(?:us|ms|s|min|m|h|d)"
_DURATION_RE = re.compile(rf"\s*(-?)({_NUMBER})\s*(us|ms|s|min|m|h|d)\s*")
_RATE_RE = re.compile(rf"\s*({_NUMBER})\s*/\s*(s|min|m|h)\s*")
_ODDS_RE = re.compile(rf"\s*({_NUMBER})\s*%\s*")
_EXAMPLES = "250ms, 2s or 5min"


def parse_duration(text: str) -> float:
    """Seconds in `text`: ``250ms``, ``2s``, ``5min``, ``2m``, ``-90s``. Raises `Misfit`, which is a ValueError.

    >>> parse_duration("250ms"), parse_duration("2m")
    (0.25, 120.0)
    """
    match = _DURATION_RE.fullmatch(text)
    if not match:
        raise Misfit(
            "not a duration", expected=f"a duration such as {_EXAMPLES}", found=text, hint=_duration_hint(text)
        )
    value = scaled(match[2], _UNITS[match[3]])
    return -value if match[1] else value


def _duration_hint(text: str) -> str:
    if re.fullmatch(rf"\s*-?{_NUMBER}\s*", text):
        return f"a bare number says no unit: write {text.strip()}s for seconds"
    if re.fullmatch(r"\s*[0-9]+:[0-9:.]+\s*", text):
        return "write 90s, not 1:30"
    return ""


def format_duration(seconds: float) -> str:
    """A short text, in ms to h, that `parse_duration` reads back as exactly `seconds`.

    >>> format_duration(0.25), format_duration(120.0), format_duration(90)
    ('250ms', '2min', '90s')
    """
    for unit in ("h", "min", "s") if abs(seconds) >= 1 else ("ms",):
        value = seconds / float(_UNITS[unit])
        if abs(value) >= 1 and value.is_integer() and parse_duration(text := f"{int(value)}{unit}") == seconds:
            return text
    return shortest(seconds, {"s": "1", "ms": "0.001"})


def _no_bare_number(value: Any, info: ValidationInfo, example: str) -> None:
    if isinstance(value, bool) or (isinstance(value, int | float) and (info.context or {}).get("yaml")):
        raise Misfit("a bare number says no unit", expected=f"a duration such as {example}", found=value)


def _duration(value: Any, info: ValidationInfo) -> Any:
    _no_bare_number(value, info, _EXAMPLES)
    if not isinstance(value, str | int | float):
        raise Misfit("not a duration", expected=f"a duration such as {_EXAMPLES}", found=value)
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": rf"^-?{_DURATION}$", "examples": ["250ms", "2s", "5min"]}),
]
"""Seconds, of either sign; ``250ms``, ``2s``, ``-90s`` in YAML."""

_NO_SIGN = WithJsonSchema({"type": "string", "pattern": rf"^{_DURATION}$", "examples": ["250ms", "2s", "5min"]})

Length = Annotated[Duration, Field(ge=0), _NO_SIGN]
"""Seconds, never negative."""

PositiveLength = Annotated[Duration, Field(gt=0), _NO_SIGN]
"""Seconds, more than none."""


def _odds(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        match = _ODDS_RE.fullmatch(value)
        if not match:
            raise Misfit("not odds", expected="per cent, such as 2% or 0.5%", found=value)
        value = scaled(match[1], "0.01")
    elif isinstance(value, bool) or not isinstance(value, int | float) or (info.context or {}).get("yaml"):
        raise Misfit("a bare number says no unit", expected="per cent, such as 2% or 0.5%", found=value)
    if not 0 <= value <= 1:
        raise Misfit("odds lie between 0% and 100%", found=f"{value * 100:g}%")
    return value


def format_odds(odds: float) -> str:
    """Per cent, as `Odds` reads them: ``2%``."""
    return shortest(odds, {"%": "0.01"})


Odds = Annotated[
    float,
    BeforeValidator(_odds),
    PlainSerializer(format_odds, return_type=str, when_used="json"),
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
                raise Misfit("not text", expected=f"text such as {cls.examples[0]}", found=value)
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
        low, dots, high = text.partition("..")
        span = cls(parse_duration(low), parse_duration(high if dots else low))
        if span.low < 0:
            raise Misfit("a length of time is never negative", expected="such as 1ms..4ms", found=text)
        if span.low > span.high:
            raise Misfit("the range ends before it begins", found=text)
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
        match = re.fullmatch(r"\s*([0-9]{1,9})(?:\.\.([0-9]{1,9}))?\s*", text)
        if not match:
            raise Misfit("not a count", expected="a count such as 3 or 0..5", found=text)
        count = cls(int(match[1]), int(match[2] or match[1]))
        if count.low > count.high:
            raise Misfit("the range ends before it begins", found=text)
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
                raise Misfit("not a rate", expected="a rate such as 20/s or 20/s -> 40/s", found=text)
            values.append(_per_second(match[1], match[2]))
        if len(values) > 2 or not max(values) > 0:
            raise Misfit("not a rate", expected="one rate above zero or a ramp between two", found=text)
        return cls(values[0], values[-1])

    def __str__(self) -> str:
        start, end = format_rate(self.start), format_rate(self.end)
        return start if self.start == self.end else f"{start} -> {end}"


def _per_second(number: str, unit: str) -> float:
    return scaled(number, "1") / float(_UNITS[unit])


def format_rate(rate: float) -> str:
    """A rate a second as `Rate` reads it back: ``20/s``, ``1/min`` where that is shorter."""
    texts = [f"{plain(rate)}/s"]
    for unit in ("min", "h"):
        number = plain(float(f"{rate * float(_UNITS[unit]):.12g}"))
        if _per_second(number, unit) == rate:
            texts.append(f"{number}/{unit}")
    return min(texts, key=len)


class Unit(StrEnum):
    """What a bound is measured in."""

    SECONDS = "s"
    RATIO = "ratio"
    NUMBER = "number"


_OPERATORS = ("<=", ">=", "==", "<", ">")


@dataclass(frozen=True)
class Comparison(_Text):
    """``subject operator bound``.

    Such as ``p99 < 400ms``, ``ratio < 1%``, ``max <= 16s``, ``rate > 20/s``, ``>= 3``, ``5``.
    A missing subject is ``value``, a missing operator ``==``. ``bound`` is in seconds, a ratio from 0 to 1,
    or a number.
    """

    subject: str
    operator: str
    bound: float
    unit: Unit
    pattern = (
        r"^([a-z][a-z0-9.\-]* *(<=|>=|==|<|>)|<=|>=|==|<|>)? *"
        r"-?[0-9]+(\.[0-9]+)? *(us|ms|s|min|m|h|d|%|/s|/min|/m|/h)?$"
    )
    examples = ("p99 < 400ms", "ratio < 1%", ">= 3")

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Read one comparison."""
        match = re.fullmatch(
            r"\s*([a-z][a-z0-9.\-]*)?\s*(<=|>=|==|<|>)?\s*(-?[0-9][0-9.]*\s*[a-z%/]*)\s*", text
        )
        if not match or (match[1] and not match[2]):
            raise Misfit(
                "not a comparison", expected="a comparison such as 'p99 < 400ms' or '>= 3'", found=text
            )
        bound, unit = _bound(match[3])
        return cls(match[1] or "value", match[2] or "==", bound, unit)

    def holds(self, value: float) -> bool:
        """Whether `value` (seconds, ratio or number) satisfies the bound."""
        compare = {"<": value < self.bound, "<=": value <= self.bound, ">": value > self.bound}
        return {**compare, ">=": value >= self.bound, "==": value == self.bound}[self.operator]

    def __str__(self) -> str:
        bound = {
            Unit.SECONDS: format_duration(self.bound),
            Unit.RATIO: format_odds(self.bound),
            Unit.NUMBER: plain(self.bound),
        }[self.unit]
        return (
            bound
            if (self.subject, self.operator) == ("value", "==")
            else f"{self.subject} {self.operator} {bound}"
        )


def _bound(text: str) -> tuple[float, Unit]:
    text = text.strip()
    if _DURATION_RE.fullmatch(text):
        return parse_duration(text), Unit.SECONDS
    if match := _ODDS_RE.fullmatch(text):
        return scaled(match[1], "0.01"), Unit.RATIO
    if match := _RATE_RE.fullmatch(text):
        return _per_second(match[1], match[2]), Unit.NUMBER
    if match := re.fullmatch(rf"(-?)({_NUMBER})", text):
        return scaled(match[2], "1") * (-1 if match[1] else 1), Unit.NUMBER
    raise Misfit("not a bound", expected="a number, a duration, a rate or a percentage", found=text)


def _expectation(value: Any) -> Any:
    return plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Expectation = Annotated[
    Comparison, BeforeValidator(_expectation, json_schema_input_type=Comparison | int | float)
]
"""A `Comparison` that may be written as a bare number: ``{registered-handlers: 5}``."""

CountRange = Annotated[Count, BeforeValidator(_expectation, json_schema_input_type=Count | int)]
"""A `Count` that may be written as a bare number: ``count: 5``."""


@pydantic_dataclass(frozen=True)
class FakerRef:
    """``!faker iban``: a value drawn from Faker's provider of that name at every call, from the run's seed.

    In JSON it is ``{"$faker": "iban", "args": []}``; `Arguments` reads that back.
    """

    provider: str
    args: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        # Where the first reference is made, since drawing may begin inside a simulated world: there the import of Faker
        # would take from the entropy of the first run only.
        importlib.import_module("faker")

    @model_serializer(mode="plain", when_used="json")
    def _as_json(self) -> dict[str, Any]:
        return {FAKER_KEY: self.provider, "args": list(self.args)}


FAKER_KEY = "$faker"
"""The key that marks a `FakerRef` in JSON; no mapping of a scenario file may use it for anything else."""


def restore_fakers(value: Any) -> Any:
    """`value` with every ``{"$faker": ...}`` in it turned back into a `FakerRef`."""
    if isinstance(value, dict):
        if FAKER_KEY in value:
            return FakerRef(value[FAKER_KEY], tuple(value.get("args", ())))
        return {key: restore_fakers(item) for key, item in value.items()}
    return [restore_fakers(item) for item in value] if isinstance(value, list) else value


Arguments = Annotated[dict[str, Any], BeforeValidator(restore_fakers)]
"""Arguments of an operation: anything JSON can hold, and `FakerRef`."""
