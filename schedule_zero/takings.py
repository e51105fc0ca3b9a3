"""What a stored job remembers of the servers that have taken it: a call that was under way when one died.

A server that is killed takes along what it knew of the calls under way. So whoever takes a job writes into its row, in
the same statement, when that was and which start of the handler it is about to call. A job that first has to wait, for
its handler or for its turn, names no start: its call is written to the execution log before it is made. The taking is
taken out again when the job is given back without a call. What is left when the job is taken the next time is a call
that may have been made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schedule_zero.schema import near_instant

__all__ = ["UNDER_WAY", "Taking", "given_back", "take", "takings"]

#: Key in a stored job's metadata: a list of [instant in microseconds, the handler's incarnation].
_TAKEN: Final = "taken"
#: Key in a job's metadata (in memory only): the present taking is in a call, or has been cut off in one.
UNDER_WAY: Final = "under way"
#: A job that is taken more often is remembered for the last ones.
_MOST: Final = 10


class Taking(NamedTuple):
    """One server's hold of a job: since when, and the start of the handler that it was for; empty: it waited."""

    at: datetime
    incarnation: str


def takings(metadata: Mapping[str, Any]) -> tuple[Taking, ...]:
    """Those of a job, the oldest first; raises one of many exceptions for metadata that make no sense."""
    known = metadata.get(_TAKEN)
    return tuple(Taking(near_instant(at), incarnation) for at, incarnation in known or ())


def take(metadata: dict[str, Any], at: int, incarnation: str) -> None:
    """Note one more taking, `at` in microseconds."""
    metadata[_TAKEN] = [*metadata.get(_TAKEN, ())[1 - _MOST :], [at, incarnation]]


def given_back(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What remains of it when a job is given back: the last taking only if its call was under way.

    >>> given_back({"taken": [[1, "a"], [2, "b"]], "max_running_jobs": 3})
    {'max_running_jobs': 3, 'taken': [[1, 'a']]}
    >>> given_back({"taken": [[1, "a"]], UNDER_WAY: True})
    {'taken': [[1, 'a']]}
    """
    rest = {key: value for key, value in metadata.items() if key not in (_TAKEN, UNDER_WAY)}
    known = metadata.get(_TAKEN, [])
    kept = known if metadata.get(UNDER_WAY) else known[:-1]
    return {**rest, _TAKEN: kept} if kept else rest
