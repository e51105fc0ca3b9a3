"""Arguments of faults in a simulated world, looked at before anything happens.

A fault that was asked for by mistake would do nothing, and the test that asked for it would pass.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from harness.sim.errors import BadFault

__all__ = ["check_process", "check_seconds", "check_whole"]


def check_seconds(what: str, value: Any, *, least: float = 0.0) -> None:
    """Raise `BadFault` unless `value` is a finite number of seconds, `least` or more.

    >>> check_seconds("Deliver(delay=...)", -5)
    Traceback (most recent call last):
    harness.sim.errors.BadFault: Deliver(delay=...) was given -5: expected seconds, 0 or more
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < least:
        raise BadFault(f"{what} was given {value!r}: expected seconds, {least:g} or more")


def check_whole(what: str, value: Any, least: int) -> None:
    """Raise `BadFault` unless `value` is a whole number, `least` or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadFault(f"{what} was given {value!r}: expected a whole number, {least} or more")


def check_process(what: str, name: Any, names: Iterable[str]) -> None:
    """Raise `BadFault` unless `name` is one of the `names` of processes."""
    known = list(dict.fromkeys(names))
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise BadFault(f"{what} was given {name!r}: expected the name of a process, one of {', '.join(known)}{hint}")
