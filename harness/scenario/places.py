"""Whether a selector can point at anything that the scenario's target has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from harness.scenario.misfit import Misfit, Path
from harness.scenario.problems import did_you_mean, one_of

_COUNTED = re.compile(r"one|all|minority|[0-9]{1,9}|[0-9]+(\.[0-9]+)?\s*%")


def is_count(text: str) -> bool:
    """Whether a selector of this text counts places instead of naming one.

    >>> is_count("minority"), is_count("2"), is_count("h2")
    (True, True, False)
    """
    return _COUNTED.fullmatch(text) is not None


def selector_misfits(text: str, names: Sequence[str] | None, path: Path) -> Iterator[Misfit]:
    """What is wrong with a name, a glob, a count (``one 2 30% minority all``) or a link (``a -> b``).

    Nothing is, as far as anyone can tell, where the `names` to select from are not known.
    """
    text = text.strip()
    if names is None:
        return
    if "->" in text:
        for side in re.split(r"<->|->", text):
            yield from selector_misfits(side, names, path)
    elif _COUNTED.fullmatch(text):
        yield from _count_misfits(text, len(names), path)
    elif text and not any(fnmatchcase(name, text) for name in names):
        yield Misfit(
            f"{text!r} selects nothing",
            expected=one_of(names),
            found=text,
            hint=did_you_mean(text, names),
            at=path,
        )


def group_misfits(group: str, wanted: str, handlers: Sequence[str] | None, path: Path) -> Iterator[Misfit]:
    """What is wrong with ``{handlers: 2}``; of other groups only the driver knows the size."""
    if group == "handlers":
        yield from selector_misfits(wanted, handlers, (*path, group))
    elif hint := did_you_mean(group, ["handlers"]):
        yield Misfit(f"there is no group {group!r}", hint=hint, at=(*path, group), key=True)


def _count_misfits(text: str, available: int, path: Path) -> Iterator[Misfit]:
    wanted = int(text) if text.isdecimal() else 1
    if text == "minority":
        wanted = 1 if available > 2 else available + 1  # fewer than half of one or two is none
    if wanted > available or wanted == 0:
        made = f"there {'is' if available == 1 else 'are'} {available}"
        yield Misfit(
            f"{text!r} cannot be selected", expected=f"a selector that fits: {made}", found=text, at=path
        )
