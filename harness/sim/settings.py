"""The arguments of a world, looked at before anything is replaced: what is wrong is told by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from harness.sim.tape import Tape

__all__ = ["check_options", "check_settings"]

_Check = Callable[[Any], bool]


def _whole(least: int) -> _Check:
    return lambda value: isinstance(value, int) and value >= least


def _pair(kinds: type | tuple[type, ...]) -> _Check:
    def check(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(one, kinds) for one in value):
            return False
        return bool(0 <= value[0] <= value[1])

    return check


def _zone(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


SETTINGS: Mapping[str, tuple[_Check, str]] = {
    "seed": (lambda value: isinstance(value, int), "a whole number"),
    "epoch": (_aware, "a datetime with a time zone, e.g. datetime(2026, 1, 1, tzinfo=UTC)"),
    "tape": (lambda value: value is None or isinstance(value, Tape), "a Tape, e.g. Tape.load(path)"),
    "step_cost": (_whole(0), "whole microseconds, 0 or more"),
    "livelock": (_whole(1), "a number of turns, 1 or more"),
    "deviate": (lambda value: isinstance(value, int) and 0 <= value <= 100, "a whole per cent, 0 to 100"),
    "patience": (lambda value: isinstance(value, int | float) and value >= 0, "seconds, 0 or more"),
    "timezone": (_zone, "the name of a time zone, e.g. 'UTC', 'Europe/Berlin'"),
}
"""What each argument of `harness.sim.World` must be, in words that end a sentence."""

OPTIONS: Mapping[str, tuple[_Check, str]] = {
    "latency": (_pair(int), "two whole numbers of microseconds, from and to, e.g. (1_000, 5_000)"),
    "start_up": (_pair((int, float)), "two numbers of seconds, from and to, e.g. (0.1, 0.3)"),
}
"""The same for the options that the parts of this package heed."""


def check_settings(**given: Any) -> None:
    """Raise ValueError for a value that a world cannot have.

    >>> check_settings(step_cost=-1)
    Traceback (most recent call last):
    ValueError: step_cost=-1 of a simulated world: expected whole microseconds, 0 or more
    """
    for name, value in given.items():
        _check(name, value, *SETTINGS[name])


def check_options(options: Mapping[str, Any], *, of_others: bool) -> None:
    """Raise TypeError for a word nobody knows, ValueError for a wrong value; parts `of_others` may know more words."""
    for name, value in options.items():
        if name in OPTIONS:
            _check(name, value, *OPTIONS[name])
        elif not of_others:
            near = difflib.get_close_matches(name, [*SETTINGS, *OPTIONS, "trace", "zmq", "machine", "parts"], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"a simulated world has no option {name!r}{hint}")


def _check(name: str, value: Any, is_right: _Check, expected: str) -> None:
    if isinstance(value, bool) or not is_right(value):
        raise ValueError(f"{name}={value!r} of a simulated world: expected {expected}")
