"""Plain scalars of YAML 1.2's core schema, minus everything that two YAML parsers read differently."""

from __future__ import annotations

import math
import re

from harness.scenario.misfit import Misfit

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_OCTAL = re.compile(r"[-+]?0[0-9]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
_LARGEST = 2**63 - 1


def resolve(text: str) -> Scalar:
    """What a scalar without quotes means. Raises `Misfit` for one whose meaning depends on who reads it.

    >>> resolve("8"), resolve("yes"), resolve("true"), resolve("250ms")
    (8, 'yes', True, '250ms')
    """
    if text in _WORDS:
        return _WORDS[text]
    if _SEXAGESIMAL.fullmatch(text):
        raise Misfit(
            "YAML 1.1 reads this as a number to the base 60",
            found=text,
            hint="write 90s for a time, or use quotes",
        )
    if _TIMESTAMP.fullmatch(text):
        raise Misfit("some YAML parsers read this as a date", found=text, hint=f'write it in quotes: "{text}"')
    if _OCTAL.fullmatch(text):
        raise Misfit(
            "a number with a leading zero",
            found=text,
            hint="YAML 1.1 reads it to the base 8; drop the zero, or use quotes",
        )
    if _NO_NUMBER.fullmatch(text):
        raise Misfit(
            "not a number that can be compared or written as JSON",
            found=text,
            hint="use quotes if it is a text",
        )
    return _number(text)


def _number(text: str) -> Scalar:
    if _INT.fullmatch(text):
        value = int(text) if len(text) < 25 else _LARGEST + 1
    elif _BASED.fullmatch(text):
        value = int(text, 0) if len(text) < 25 else _LARGEST + 1
    elif _FLOAT.fullmatch(text):
        return _float(text)
    else:
        return text
    if abs(value) > _LARGEST:
        raise Misfit(
            "too large a number",
            expected="at most 9223372036854775807",
            found=text,
            hint="use quotes if it is a text",
        )
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Misfit("too large a number", found=text, hint="use quotes if it is a text")
    return value
