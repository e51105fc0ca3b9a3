"""What the detail of a ``stop`` step says of the processes that the stopped one kept.

``parts`` holds by name what `harness.targets.base.PartEnd` holds; a target that keeps no processes leaves it out.
``how`` is a `harness.targets.base.StopHow`, ``times`` how often it was told to stop where that is more than once.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any


def ill_ends(detail: Mapping[str, Any]) -> list[str]:
    """Every process that did not end as it should, as a sentence each.

    It should end by itself with exit code 0. Two ends are as good: of one that was not up yet, by the very SIGTERM that
    it was sent; and by force, when that was asked for with a second signal. Several orders to stop ask for no force.

    >>> ill_ends({"parts": {"h1": {"code": -9, "forced": "killed", "after": 20.0}, "h2": {"code": 0}}})
    ['h1 had to be killed after 20 s']
    >>> ill_ends({"parts": {"h1": {"code": 9}}})
    ['h1 ended with code 9']
    >>> hurried = {"h1": {"code": -9, "forced": "killed", "hurried": True, "after": 0.1}}
    >>> ill_ends({"how": "term", "times": 2, "parts": hurried})
    []
    >>> ill_ends({"how": "order", "times": 2, "parts": hurried})
    ['h1 had to be killed after 0.1 s, hurried without a second signal']
    """
    signals = 0 if detail.get("how") == "order" else detail.get("times", 1)
    return [text for name, end in sorted(_parts(detail).items()) if (text := _ill(name, end, signals > 1))]


def unseen_ends(detail: Mapping[str, Any]) -> list[str]:
    """Names of the processes whose exit codes nobody saw."""
    parts = _parts(detail)
    return sorted(name for name, end in parts.items() if end.get("code") is None and not end.get("forced"))


def _parts(detail: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    parts = detail.get("parts")
    return parts if isinstance(parts, Mapping) else {}


def _ill(name: str, end: Mapping[str, Any], may_hurry: bool) -> str:
    code, forced = end.get("code"), end.get("forced")
    if forced:
        hurried = bool(end.get("hurried"))
        why = ", hurried without a second signal" if hurried else ""
        return "" if hurried and may_hurry else f"{name} had to be {forced} after {end.get('after', 0.0):.3g} s{why}"
    if code in (0, None) or (code == -signal.SIGTERM and not end.get("ready", True)):
        return ""
    return f"{name} was ended by signal {-code}" if code < 0 else f"{name} ended with code {code}"
