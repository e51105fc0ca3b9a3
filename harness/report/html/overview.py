"""The top of the page: the verdict with its reason, the line that runs it again, and the figures of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.history.records import Execution, Job
from harness.report.distributions import latencies
from harness.report.figures import count, duration, plural, rate
from harness.report.html.checks import standing
from harness.report.html.markup import Markup, join, tag
from harness.report.manifest import Manifest
from harness.report.series import tally
from harness.report.windows import fault_windows

if TYPE_CHECKING:
    from harness.history.history import History

_ICONS = {
    Outcome.PASS: "M7 12.5l3.5 3.5L17 9",
    Outcome.FAIL: "M8 8l8 8M16 8l-8 8",
    Outcome.INTERRUPTED: "M9.5 8v8M14.5 8v8",
    Outcome.ABORTED: "M8 8h8v8H8z",
}
_QUESTION = "M9.2 9.3a2.9 2.9 0 1 1 4.2 2.6c-.9.5-1.4 1-1.4 2M12 16.8v.1"
_WORDS = {
    Outcome.PASS: "Passed", Outcome.FAIL: "Failed", Outcome.UNKNOWN: "Unknown", Outcome.UNSTEADY: "Never steady",
    Outcome.ERROR: "Harness error", Outcome.ABORTED: "Aborted", Outcome.INTERRUPTED: "Interrupted",
}


def banner(verdict: Verdict, manifest: Manifest) -> Markup:
    """The verdict in its colour, its reason, and which run it is about."""
    facts = [
        ("world", verdict.world), ("seed", str(verdict.seed)), ("ran", duration(verdict.duration)),
        ("started", manifest.started[:19].replace("T", " ") + " UTC"), ("commit", manifest.commit[:10]), ("kind", manifest.kind),
    ]
    icon = tag(
        "svg", tag("circle", cx=12, cy=12, r=11), tag("path", d=_ICONS.get(verdict.outcome, _QUESTION)),
        viewBox="0 0 24 24", class_="icon", aria_hidden="true",
    )
    return tag(
        "header",
        tag("div", icon, tag("div", tag("p", _WORDS[verdict.outcome], class_="word"), tag("h1", verdict.scenario)), class_="top"),
        tag("p", verdict.reason, class_="reason"),
        tag("p", manifest.about, class_="about") if manifest.about else None,
        tag("ul", [tag("li", tag("b", name), " ", value) for name, value in facts if value], class_="facts"),
        again(manifest), class_=f"banner {verdict.outcome.value}", role="banner",
    )


def again(manifest: Manifest) -> Markup | None:
    """The line that runs it again, with a button that copies it where scripts are on."""
    if not manifest.again:
        return None
    button = tag("button", "Copy", type="button", data_copy=manifest.again, hidden=True)
    return tag("div", tag("span", "run it again", class_="hint"), tag("code", manifest.again), button, class_="again")


def figures(history: History, verdict: Verdict) -> Markup:
    """The run in a handful of figures."""
    cards = [_checks(verdict.checks), *_calls(history), _jobs(history), _executions(history), _faults(history)]
    return tag("div", [tag("div", tag("p", name), tag("p", value, class_="value"), tag("p", more, class_="more"), class_="figure")
                       for card in cards if card for name, value, more in [card]], class_="figures")


Card = tuple[str, str, str]


def _checks(checks: tuple[CheckResult, ...]) -> Card:
    stood = [standing(c) for c in checks]
    words = [f"{stood.count(w)} {said}" for w, said in (("fail", "failed"), ("unknown", "unknown"), ("known", "known to fail")) if w in stood]
    return "Checks passed", f"{stood.count('pass')} of {len(stood)}", " · ".join(words) or ("all of them" if stood else "none was judged")


def _calls(history: History) -> list[Card]:
    total = tally(history)
    if not total.offered:
        return []
    ends = (("failed", total.fail), ("in doubt", total.info), ("dropped", total.dropped))
    bad = [f"{count(n)} {word}" for word, n in ends if n]
    calls = "Calls answered", f"{count(total.ok)} of {count(total.offered)}", " · ".join(bad) or "none failed, none dropped"
    values = sorted(v for d in latencies(history) for v in d.values)
    times = [o.intended for o in history.operations()]
    busy = max(times) - min(times) if times else 0.0
    speed = f"{rate(total.calls / busy)} on average" if busy > 0 else ""
    if not values:
        return [calls]
    middle, late = values[(len(values) - 1) // 2], values[min(len(values) - 1, -(-len(values) * 99 // 100) - 1)]
    return [calls, ("Latency p50 · p99", f"{duration(middle)} · {duration(late)}", f"max {duration(values[-1])}" + (f" · {speed}" if speed else ""))]


def _jobs(history: History) -> Card | None:
    jobs = history.of(Job)
    if not jobs:
        return None
    open_ = sum(not j.outcome for j in jobs)
    again_ = sum(j.attempts > 1 for j in jobs)
    words = ([f"{count(open_)} without outcome"] if open_ else []) + ([f"{count(again_)} tried again"] if again_ else [])
    return "Jobs", count(len(jobs)), " · ".join(words) or "all with an outcome, at the first attempt"


def _executions(history: History) -> Card | None:
    runs = history.of(Execution)
    if not runs:
        return None
    lost = sum(r.end is None for r in runs)
    return "Executions", count(len(runs)), f"{count(lost)} never finished" if lost else f"by {plural(len({r.handler for r in runs}), 'handler')}"


def _faults(history: History) -> Card | None:
    windows = fault_windows(history)
    if not windows:
        return None
    acted = [w for w in windows if w.acted]
    open_ = sum(w.end is None for w in acted)
    kinds = plural(len({w.kind for w in acted}), "kind")
    return "Faults injected", count(len(acted)), kinds + (f" · {open_} never healed" if open_ else " · all healed" if acted else "")


def title(verdict: Verdict) -> str:
    """The title of the page."""
    return f"{_WORDS[verdict.outcome]}: {verdict.scenario}, {verdict.world}, seed {verdict.seed}"


def favicon(verdict: Verdict) -> Markup:
    """A dot in the colour of the verdict for the browser's tab, inside the page."""
    colour = {Outcome.PASS: "12805c", Outcome.FAIL: "c92a3b", Outcome.UNKNOWN: "9a6700"}.get(verdict.outcome, "5f4bb6")
    picture = f"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E%3Ccircle cx='4.5' cy='4.5' r='4.5' fill='%23{colour}'/%3E%3C/svg%3E"
    return join(tag("link", rel="icon", href=picture))
