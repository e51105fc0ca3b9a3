"""Who gets the free slots when jobs of many handlers wait: the least busy first, and none gets them all.

Every handler has a share of all slots that others cannot take, used or not; otherwise a few handlers that never
answer would, each within its own limit, hold all slots there are until their calls time out. A share is half of
what an equal division would give, one slot at least; the other half goes to whoever has work. Where there are
many slots a few more are kept for a handler whose first job is still to come. Unused shares never keep more
than half of all slots free, however many handlers there once were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")
_SLOTS_FOR_A_NEWCOMER: Final = 16
"""Of so many slots, one is kept for a handler that nobody has heard of yet."""


class Candidate(NamedTuple):
    """A waiting job: its task, how many of that task come before it (running ones too), when it arrived."""

    task_id: str
    rank: int
    seq: int


def admit(
    waiting: Iterable[tuple[Candidate, T]],
    running: Mapping[str, int],
    limits: Mapping[str, int | None],
    free: int,
) -> list[T]:
    """Those that may start now, at most `free`; `running` counts by task, `limits` has every known task.

    >>> a = [(Candidate("a", rank, rank), f"a{rank}") for rank in range(20)]
    >>> admit(a, {}, {"a": None, "b": None}, 8)  # one slot is b's
    ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6']
    >>> admit([(Candidate("b", 0, 99), "b0"), *a[6:]], {"a": 6}, {"a": None, "b": None}, 2)
    ['b0', 'a6']
    """
    slots = free + sum(running.values())
    share = max(1, slots // (2 * (len(limits) + 1)))
    counts = Counter(running)
    unused = sum(_unused(counts[task], share, limit) for task, limit in limits.items())
    unused += min(share, slots // _SLOTS_FOR_A_NEWCOMER)
    chosen: list[T] = []
    for candidate, job in sorted(waiting, key=lambda item: (item[0].rank, item[0].seq)):
        own = _unused(counts[candidate.task_id], share, limits.get(candidate.task_id))
        kept = min(unused, slots // 2)
        left = free - len(chosen)
        if left <= 0:
            break
        if not own and left <= kept:
            continue
        unused -= min(own, 1)
        counts[candidate.task_id] += 1
        chosen.append(job)
    return chosen


def _unused(running: int, share: int, limit: int | None) -> int:
    return max(0, (share if limit is None else min(share, limit)) - running)
