"""The run in a handful of figures, one card each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.checks.verdict import CheckResult, Verdict
from harness.history.records import Execution, Job, Status, Step
from harness.report.distributions import latencies, steps
from harness.report.figures import count, duration, plural, rate
from harness.report.html.markup import Markup, tag
from harness.report.series import nearest_rank, tally
from harness.report.standing import standing
from harness.report.windows import fault_windows

if TYPE_CHECKING:
    from harness.history.history import History


def figures(history: History, verdict: Verdict) -> Markup:
    """The run in a handful of figures."""
    cards = [
        _checks(verdict.checks),
        *_calls(history),
        *_cycles(history),
        _jobs(history),
        _executions(history),
        _faults(history),
    ]
    return tag(
        "div",
        [
            tag(
                "div",
                tag("p", name),
                tag("p", value, class_="value"),
                tag("p", more, class_="more"),
                class_="figure",
            )
            for card in cards
            if card
            for name, value, more in [card]
        ],
        class_="figures",
    )


Card = tuple[str, str, str]


def _checks(checks: tuple[CheckResult, ...]) -> Card:
    stood = [standing(c) for c in checks]
    words = [
        f"{stood.count(w)} {said}"
        for w, said in (("fail", "failed"), ("unknown", "unknown"), ("known", "known to fail"))
        if w in stood
    ]
    return (
        "Checks passed",
        f"{stood.count('pass')} of {len(stood)}",
        " · ".join(words) or ("all of them" if stood else "none was judged"),
    )


def _calls(history: History) -> list[Card]:
    total = tally(history)
    if not total.offered:
        return []
    ends = (("failed", total.fail), ("in doubt", total.info), ("dropped", total.dropped))
    bad = [f"{count(n)} {word}" for word, n in ends if n]
    calls = (
        "Calls answered",
        f"{count(total.ok)} of {count(total.offered)}",
        " · ".join(bad) or "none failed, none dropped",
    )
    values = sorted(v for d in latencies(history) for v in d.values)
    times = [o.intended for o in history.operations()]
    busy = max(times) - min(times) if times else 0.0
    speed = f"{rate(total.calls / busy)} on average" if busy > 0 else ""
    if not values:
        return [calls]
    middle, late = nearest_rank(values, 0.5), nearest_rank(values, 0.99)
    return [
        calls,
        (
            "Latency p50 · p99",
            _pair(middle, late),
            f"max {duration(values[-1])}" + (f" · {speed}" if speed else ""),
        ),
    ]


def _pair(one: float | None, other: float | None) -> str:
    """Two durations; on a narrow page a line ends between them, not between a number and its unit."""
    return " · ".join(duration(value).replace(" ", "\N{NO-BREAK SPACE}") for value in (one, other))


def _cycles(history: History) -> list[Card]:
    found = history.of(Step)
    if not found:
        return []
    bad = sum(s.status is not Status.OK for s in found)
    cards = [
        (
            "Cycles",
            count(len({s.cycle for s in found})),
            f"{count(bad)} of {plural(len(found), 'step')} went wrong" if bad else "every step went well",
        )
    ]
    cards.extend(
        (
            f"{took.name} p50 · p99",
            _pair(took.at(0.5), took.at(0.99)),
            f"max {duration(took.values[-1])}",
        )
        for took in steps(history)[:3]
        if took.values
    )
    return cards


def _jobs(history: History) -> Card | None:
    jobs = history.of(Job)
    if not jobs:
        return None
    ends = Counter(j.outcome for j in jobs)
    open_ = ends.pop("", 0)
    again_ = sum(j.attempts > 1 for j in jobs)
    words = [", ".join(f"{count(n)} {end}" for end, n in ends.most_common())] if ends else []
    words += [f"{count(open_)} without outcome"] if open_ else []
    words += [f"{count(again_)} tried again"] if again_ else []
    return "Jobs", count(len(jobs)), " · ".join(words)


def _executions(history: History) -> Card | None:
    runs = history.of(Execution)
    if not runs:
        return None
    lost = sum(r.end is None for r in runs)
    return (
        "Executions",
        count(len(runs)),
        f"{count(lost)} never finished" if lost else f"by {plural(len({r.handler for r in runs}), 'handler')}",
    )


def _faults(history: History) -> Card | None:
    windows = fault_windows(history)
    if not windows:
        return None
    acted = [w for w in windows if w.acted]
    open_ = sum(w.end is None for w in acted)
    kinds = plural(len({w.kind for w in acted}), "kind")
    return (
        "Faults injected",
        count(len(acted)),
        kinds + (f" · {open_} never healed" if open_ else " · all healed" if acted else ""),
    )
