"""Decimal numbers as text and back, exact in both directions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
"""A number as scenario files write it: no exponent, no sign, ASCII digits."""


def scaled(number: str, factor: str) -> float:
    """``number * factor``, rounded once; raises ValueError when no float holds it.

    >>> scaled("0.1", "0.001"), scaled("250", "0.001")
    (0.0001, 0.25)
    """
    value = float(Decimal(number) * Decimal(factor))
    if not math.isfinite(value):
        raise ValueError(f"{number} is too large a number")
    return value


def plain(value: float | Decimal) -> str:
    """`value` without an exponent and without idle zeros; ``float(plain(x)) == x`` for every finite float.

    >>> plain(1e-05), plain(120.0)
    ('0.00001', '120')
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def shortest(value: float, units: Mapping[str, str]) -> str:
    """The shortest ``<number><unit>`` that `scaled` reads back as exactly `value`; the first unit wins a tie.

    `units` maps a suffix to its factor; one of them must be ``"1"``, which can always write the value.
    """
    exact = Decimal(repr(float(value)))
    texts = []
    for unit, factor in units.items():
        number = plain(exact / Decimal(factor))
        if scaled(number, factor) == value:
            texts.append(number + unit)
    return min(texts, key=len)
