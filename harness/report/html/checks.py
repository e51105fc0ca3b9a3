"""The checks, worst first: outcome, what was seen, evidence, the line of the scenario file."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.checks.verdict import CheckResult, Evidence
from harness.report.figures import moment, plural
from harness.report.html.markup import Markup, tag
from harness.report.source import Excerpt, excerpt
from harness.report.standing import ordered, standing

_EVIDENCE = 25
_TEXT = 2000


def checks_section(checks: Sequence[CheckResult], source: str) -> Markup:
    """All checks; what did not pass is open, what passed is folded."""
    if not checks:
        return tag("p", "Nothing was judged.", class_="empty")
    bad = [_check(c, source) for c in ordered(checks) if standing(c) != "pass"]
    good = [_check(c, source) for c in ordered(checks) if standing(c) == "pass"]
    return tag("div", bad, good, class_="checks")


def _check(check: CheckResult, source: str) -> Markup:
    word = standing(check)
    head = tag(
        "summary",
        tag("span", word, class_=f"pill {word}"),
        tag("code", check.name),
        tag("span", check.when, class_="when"),
        tag("span", check.summary[:_TEXT], class_="said"),
        tag("span", plural(check.samples, "sample"), class_="samples"),
    )
    found = [_evidence(e) for e in check.evidence[:_EVIDENCE]]
    more = len(check.evidence) - _EVIDENCE
    inside = [
        tag("p", "This failure is expected: the scenario lists it under known.", class_="note")
        if word == "known"
        else None,
        tag("p", "It looked at nothing that could prove or refute it.", class_="note")
        if word == "unknown" and not check.samples
        else None,
        tag("ol", found, class_="evidence")
        if found
        else tag("p", "No evidence was needed.", class_="note")
        if word == "pass"
        else None,
        tag("p", f"{more} more in verdict.json", class_="note") if more > 0 else None,
        lines_of(excerpt(source, check.line)) if word != "pass" else None,
    ]
    return tag(
        "details",
        head,
        tag("div", inside, class_="inside"),
        class_=f"check {word}",
        open=word in ("fail", "error", "unknown"),
    )


def _evidence(evidence: Evidence) -> Markup:
    when = tag("span", class_="at")
    if evidence.at is not None:
        when = tag(
            "a",
            moment(evidence.at),
            href="#timeline",
            class_="at",
            data_goto=f"{evidence.at:.6g}",
            title="show in the timeline",
        )
    facts = [tag("span", f"{key}={_value(value)}") for key, value in list(evidence.data.items())[:12]]
    return tag(
        "li",
        when,
        tag("div", tag("span", evidence.text[:_TEXT]), tag("div", facts, class_="facts") if facts else None),
    )


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 160 else text[:159] + "…"


def lines_of(found: Excerpt | None) -> Markup | None:
    """Lines of the scenario file with their numbers, the one that matters marked."""
    if found is None:
        return None
    rows = [
        tag("span", tag("i", str(n)), text, class_="hit" if n == found.line else None)
        for n, text in found.lines
    ]
    return tag("pre", rows, class_="source", tabindex="0", aria_label=f"scenario file, line {found.line}")
