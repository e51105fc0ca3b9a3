"""Rows of the store that this server cannot read, and passes over.

A row may be damaged, written by hand, or of a newer version that shares the store. It stays where it is: it is
counted, told of once in the log and as long as it lasts by health, and read again whenever its turn comes, so that one
that was mended, or put in its place anew, works from then on. What can be read is never held up by it.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from logging import Logger
from typing import Any, Final, Generic, TypeVar

from schedule_zero.store_errors import RowUnreadable

__all__ = ["AGAIN", "Page", "Reading", "Unreadable", "read_rows"]

T = TypeVar("T")
P = TypeVar("P")

#: Seconds after which rows that could not be read are looked at again, even if nothing else is due.
AGAIN: Final = 30.0
#: Rows that health names.
_NAMED: Final = 5
#: Rows told of one by one in the log; that there are more is said once.
_TOLD: Final = 10_000
#: Seconds after which one that was not met again is thought to be gone.
_LASTS: Final = 3600.0


@dataclass
class Reading(Generic[T]):
    """What reading rows came to: `items` in their order, and by its key what is wrong with each of the others."""

    items: list[T] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    #: The keys of the rows that could be read.
    right: list[str] = field(default_factory=list)

    def add(self, row: Sequence[Any], of: Callable[[Sequence[Any]], T]) -> T | None:
        """Read one row, whose first column is its key, by `of`; returns None if that fails."""
        try:
            item = of(row)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the other rows are not
            self.wrong[str(row[0])] = f"{type(error).__name__}: {error}"
            return None
        self.items.append(item)
        self.right.append(str(row[0]))
        return item


def read_rows(rows: Iterable[Sequence[Any]], of: Callable[[Sequence[Any]], T]) -> Reading[T]:
    """Read all rows by `of`.

    >>> read_rows([("a", 1), ("b", None)], lambda row: row[1] + 1)
    Reading(items=[2], wrong={'b': "TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'"}, right=['a'])
    """
    reading: Reading[T] = Reading()
    for row in rows:
        reading.add(row, of)
    return reading


@dataclass(frozen=True)
class Page(Generic[T, P]):
    """A part of a list: `items` that could be read, by its key what is `wrong` with each of the others, and the `place`
    from which the list goes on; None at its end.
    """

    items: list[T]
    place: P | None
    wrong: dict[str, str] = field(default_factory=dict)


class Unreadable:
    """The rows that one server cannot read, as far as it has met them. Lives in the event loop."""

    def __init__(self) -> None:
        # All of them, however many: whoever is passed over without being known would be waited for.
        self._known: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()
        self._full = False
        #: How many rows were found that cannot be read.
        self.found = 0

    def take(self, kind: str, reading: Reading[T], logger: Logger) -> list[T]:
        """What could be read of rows of this kind (``schedule``); the others are counted and logged."""
        if self._known:
            for key in reading.right:
                if self._known.pop((kind, key), None) is not None and (kind, key) in self._told:
                    self._told.discard((kind, key))
                    logger.warning("the stored %s %r can be read again", kind, key)
        for key, why in reading.wrong.items():
            if (kind, key) not in self._known:
                self.found += 1
                self._tell(kind, key, why, logger)
            self._known[kind, key] = time.monotonic()
        return reading.items

    def _tell(self, kind: str, key: str, why: str, logger: Logger) -> None:
        if len(self._told) < _TOLD:
            self._full = False
            self._told.add((kind, key))
            logger.error("the stored %s %r cannot be read and is passed over: %s", kind, key, why)
        elif not self._full:
            self._full = True
            logger.error("more than %d stored rows cannot be read; of the others only the number is told", _TOLD)

    def forget(self, kind: str, key: str) -> None:
        """The row was removed, or put in its place anew."""
        self._known.pop((kind, key), None)
        self._told.discard((kind, key))

    def require_none(self, kind: str, key: str) -> None:
        """Raise `RowUnreadable` if this row is one of them."""
        if (kind, key) in self._known:
            raise RowUnreadable(kind, key)

    def keys(self, kind: str) -> frozenset[str]:
        """The keys of the rows of this kind."""
        return frozenset(key for known, key in self._known if known == kind)

    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind."""
        since = time.monotonic() - _LASTS
        self._known = {row: seen for row, seen in self._known.items() if seen >= since}
        self._told.intersection_update(self._known)
        kinds = sorted({kind for kind, _ in self._known})
        return {kind: len(self.keys(kind)) for kind in kinds}

    def describe(self) -> str:
        """All of them in a sentence, empty if there is none.

        >>> Unreadable().describe()
        ''
        """
        if not self.counts():
            return ""
        some = [f"{kind} {key!r}" for kind, key in heapq.nsmallest(_NAMED, self._known)]
        more = [f"and {len(self._known) - _NAMED} more"] if len(self._known) > _NAMED else []
        return f"passed over, as they cannot be read: {', '.join([*some, *more])}; the log says why"
