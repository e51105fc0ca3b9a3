"""What a stop must not leave behind, as the searches of the target found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from harness.checks.base import AFTER_STOP, Case, Check, Section
from harness.checks.evidence import Finding, Problem, conclude, many, moment
from harness.history.records import Audit, Step


def judge(case: Case, args: None, *, audit: str, noun: str, several: str = "") -> Finding:
    """Read the searches named `audit`: the final one, or each cycle's if the check stands under ``each``.

    A cycle in which nobody searched, or a search that examined nothing, leaves the check unknown.
    """
    audits = [found for found in case.history.of(Audit) if found.name == audit and _belongs(case, found)]
    looked = [found for found in audits if found.looked_at > 0]
    problems = [problem for found in audits for problem in _left(case, found, noun)]
    unseen = "; ".join(reason for found in audits for reason in found.unseen)
    blind = f" ({unseen})" if unseen else ""
    return conclude(
        problems,
        samples=len(looked),
        broken=f"{many(len(problems), noun, several)} found in {many(len(audits), 'search', 'searches')}",
        good=f"no {noun} found in {many(len(looked), 'search', 'searches')}{f'; not seen: {unseen}' if unseen else ''}",
        nothing=f"nobody looked for any {noun}{blind}, so nothing was proven",
        doubts=list(_unsearched(case, audit, {found.scope: found.looked_at for found in audits})),
    )


def _belongs(case: Case, audit: Audit) -> bool:
    return audit.scope.startswith("cycle") if case.section is Section.EACH else audit.scope == "final"


def _left(case: Case, audit: Audit, noun: str) -> Iterator[Problem]:
    for found in audit.found:
        what = ", ".join(f"{key} {value}" for key, value in sorted(found.items()))
        place = f" ({audit.scope})" if audit.scope != "final" else ""
        text = f"{noun} at {moment(audit.at)}{place}: {what or 'no details'}"
        yield Problem(0, audit.at, text, (("found", found), ("scope", audit.scope)))


def _unsearched(case: Case, audit: str, searched: Mapping[str, int]) -> Iterator[Problem]:
    if case.section is not Section.EACH:
        return
    for cycle in sorted({step.cycle for step in case.history.of(Step)}):
        if not searched.get(f"cycle {cycle}"):
            none = f"there were no {audit} to look for"
            text = f"{none if f'cycle {cycle}' in searched else f'nobody looked at {audit}'} after cycle {cycle}"
            yield Problem(0, max(s.end for s in case.history.of(Step) if s.cycle == cycle), text)


def _check(name: str, audit: str, noun: str, about: str, several: str = "") -> Check:
    search = partial(judge, audit=audit, noun=noun, several=several)
    return Check(name=name, about=about, judge=search, sections=AFTER_STOP)


CHECKS = (
    _check(
        "no-orphan-process",
        "processes",
        "orphaned process",
        "no process of the target outlives its stop",
        "orphaned processes",
    ),
    _check("no-stale-pidfile", "pidfiles", "stale pid file", "no pid file outlives its process"),
    _check(
        "ports-free",
        "ports",
        "port still taken",
        "every port the target listened on is free after its stop",
        "ports still taken",
    ),
    _check("no-leaked-socket", "sockets", "leaked socket", "no ZeroMQ socket stays open that no one uses"),
    _check(
        "store-readable",
        "store",
        "fault in the store",
        "the store is sound by its own integrity check",
        "faults in the store",
    ),
    _check(
        "same-interpreter",
        "interpreters",
        "process in another interpreter",
        "every process of the target runs in the environment of the run itself",
        "processes in another interpreter",
    ),
    _check("no-left-over-file", "files", "left-over file", "no temporary file outlives the target"),
)
