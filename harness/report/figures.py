"""How numbers are written for people: durations, times, counts, sizes, ratios."""

from __future__ import annotations

import math


def duration(seconds: float | None) -> str:
    """A length of time with three significant digits; a dash for None, ``never`` for infinity.

    >>> duration(0.0000042), duration(0.412), duration(1.5), duration(3725.0)
    ('4.2 µs', '412 ms', '1.5 s', '1 h 2 min')
    """
    if seconds is None or math.isnan(seconds):
        return "–"
    if math.isinf(seconds):
        return "never"
    if seconds < 0:
        return "−" + duration(-seconds)
    if seconds == 0:
        return "0 s"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 119.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def moment(seconds: float | None) -> str:
    """A point of scenario time, to the millisecond; a dash for None.

    >>> moment(12.0314), moment(-1.5), moment(80.0)
    ('12.031 s', '−1.5 s', '80 s')
    """
    if seconds is None:
        return "–"
    text = f"{abs(seconds):.3f}".rstrip("0").rstrip(".")
    return f"{'−' if seconds < 0 and text != '0' else ''}{text} s"


def count(value: float) -> str:
    """A number of things, thousands apart.

    >>> count(20000), count(2.5)
    ('20,000', '2.5')
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def size(value: float) -> str:
    """A number of bytes.

    >>> size(512), size(45_200_000)
    ('512 B', '45.2 MB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def ratio(value: float) -> str:
    """A share of one in per cent.

    >>> ratio(0.0123), ratio(0.0)
    ('1.23%', '0%')
    """
    return f"{value * 100:.3g}%"


def rate(value: float) -> str:
    """Things a second.

    >>> rate(19.96)
    '20/s'
    """
    return f"{value:.3g}/s" if value < 999.5 else f"{value:,.0f}/s"


def plural(number: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "check"), plural(3, "check"), plural(2, "reply", "replies")
    ('1 check', '3 checks', '2 replies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
