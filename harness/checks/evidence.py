"""How a check says what it found: worst first, a bounded number of items, times a person can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.checks.verdict import Evidence, Outcome

LIMIT = 20
"""Items of evidence that a result carries; a last one tells how many more there were."""


@dataclass(frozen=True)
class Finding:
    """What a check found: the outcome, how many things it looked at, one sentence, and what shows it."""

    outcome: Outcome
    samples: int
    summary: str
    evidence: tuple[Evidence, ...] = ()


class Problem(NamedTuple):
    """Something that is wrong. They sort by `rank` (lowest is worst), then by time, then by text."""

    rank: float
    at: float
    text: str
    data: tuple[tuple[str, Any], ...] = ()

    def evidence(self) -> Evidence:
        """The same for the result."""
        return Evidence(text=self.text, at=self.at, data=dict(self.data))


def shown(problems: Iterable[Problem]) -> tuple[Evidence, ...]:
    """The worst `LIMIT` problems, and how many more there were."""
    ordered = sorted(problems, key=lambda problem: problem[:3])
    evidence = [problem.evidence() for problem in ordered[:LIMIT]]
    if len(ordered) > LIMIT:
        evidence.append(
            Evidence(text=f"… and {len(ordered) - LIMIT} more", data={"more": len(ordered) - LIMIT})
        )
    return tuple(evidence)


def first(evidence: Sequence[Evidence], most: int) -> tuple[Sequence[Evidence], int]:
    """The first `most` items of a result, and how many there are besides: in the result, and left out of it by `shown`.

    >>> of_a_hundred = shown(Problem(0, at, "late") for at in range(100))
    >>> [len(of_a_hundred), *first(of_a_hundred, 1)[0], first(of_a_hundred, 5)[1]]
    [21, Evidence(text='late', at=0, data={}), 95]
    """
    left_out = evidence[-1].data.get("more") if evidence and evidence[-1].data.keys() == {"more"} else None
    if not isinstance(left_out, int):
        return evidence[:most], max(0, len(evidence) - most)
    listed = evidence[:-1]
    return listed[:most], max(0, len(listed) - most) + left_out


def conclude(
    problems: Sequence[Problem],
    *,
    samples: int,
    broken: str,
    good: str,
    nothing: str,
    doubts: Sequence[Problem] = (),
) -> Finding:
    """The finding of a check: broken by any problem; else unknown without samples or with doubts; else good.

    The three sentences are the summaries of failure, of success, and of having had nothing to look at.
    """
    if problems:
        return Finding(Outcome.FAIL, samples, broken, shown(problems))
    if doubts:
        worst = min(doubts, key=lambda doubt: doubt[:3])
        return Finding(Outcome.UNKNOWN, samples, worst.text, shown(doubts))
    if not samples:
        return Finding(Outcome.UNKNOWN, 0, nothing)
    return Finding(Outcome.PASS, samples, good)


def moment(at: float) -> str:
    """Scenario time for a sentence.

    >>> moment(12.0312)
    '12.031 s'
    """
    return f"{at:.3f} s"


def lasted(seconds: float) -> str:
    """A duration for a sentence.

    >>> lasted(0.4), lasted(2.5), lasted(float("inf"))
    ('400 ms', '2.5 s', 'for ever')
    """
    if seconds == float("inf"):
        return "for ever"
    return f"{seconds:.4g} s" if abs(seconds) >= 1 else f"{seconds * 1000:.4g} ms"


def short(identifier: str) -> str:
    """An identifier for a sentence: long ones are cut, the whole of it is in the data.

    >>> short("h1"), short("3f2a9c51-77ad-4f0e-9b1e-0c6d2b5c8a11")
    ('h1', '3f2a9c51…')
    """
    return identifier if len(identifier) <= 16 else identifier[:8] + "…"


def many(count: int, one: str, several: str = "") -> str:
    """A count with its noun.

    >>> many(1, "job"), many(3, "job"), many(2, "process", "processes")
    ('1 job', '3 jobs', '2 processes')
    """
    return f"{count} {one if count == 1 else several or one + 's'}"
