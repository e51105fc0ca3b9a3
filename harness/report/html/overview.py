"""The top of the page: verdict, its reason, the line that runs it again."""

from __future__ import annotations

from harness.checks.verdict import Outcome, Verdict
from harness.report.figures import duration
from harness.report.html.markup import Markup, tag
from harness.report.manifest import Manifest

_ICONS = {
    Outcome.PASS: "M7 12.5l3.5 3.5L17 9",
    Outcome.FAIL: "M8 8l8 8M16 8l-8 8",
    Outcome.INTERRUPTED: "M9.5 8v8M14.5 8v8",
    Outcome.ABORTED: "M8 8h8v8H8z",
}
_QUESTION = "M9.2 9.3a2.9 2.9 0 1 1 4.2 2.6c-.9.5-1.4 1-1.4 2M12 16.8v.1"
_WORDS = {
    Outcome.PASS: "Passed",
    Outcome.FAIL: "Failed",
    Outcome.UNKNOWN: "Unknown",
    Outcome.UNSTEADY: "Never steady",
    Outcome.ERROR: "Harness error",
    Outcome.ABORTED: "Aborted",
    Outcome.INTERRUPTED: "Interrupted",
}


def banner(verdict: Verdict, manifest: Manifest) -> Markup:
    """The verdict in its colour, its reason, and which run it is about."""
    facts = [
        ("world", verdict.world),
        ("seed", str(verdict.seed)),
        ("scenario time", duration(verdict.duration)),
        ("wall time", duration(manifest.duration) if manifest.duration else ""),
        *_simulated(manifest),
        ("started", manifest.started[:19].replace("T", " ") + " UTC"),
        ("commit", manifest.commit[:10]),
        ("kind", manifest.kind),
    ]
    icon = tag(
        "svg",
        tag("circle", cx=12, cy=12, r=11),
        tag("path", d=_ICONS.get(verdict.outcome, _QUESTION)),
        viewBox="0 0 24 24",
        class_="icon",
        aria_hidden="true",
    )
    return tag(
        "header",
        tag(
            "div",
            icon,
            tag("div", tag("p", _WORDS[verdict.outcome], class_="word"), tag("h1", verdict.scenario)),
            class_="top",
        ),
        tag("p", verdict.reason, class_="reason"),
        tag("p", manifest.about, class_="about") if manifest.about else None,
        tag("ul", [tag("li", tag("b", name), " ", value) for name, value in facts if value], class_="facts"),
        again(manifest),
        class_=f"banner {verdict.outcome.value}",
        role="banner",
    )


def _simulated(manifest: Manifest) -> list[tuple[str, str]]:
    """How much virtual time a simulated run took, how much quicker that was than the wall, and what identifies it."""
    record = manifest.simulation
    if record is None:
        return []
    quicker = f"{record.elapsed / manifest.duration:,.0f} times the wall's" if manifest.duration else ""
    passed = duration(record.elapsed) + (f", {quicker}" if quicker else "")
    return [("virtual time", passed), ("digest", record.digest), ("choices", str(record.choices))]


def again(manifest: Manifest) -> Markup | None:
    """The line that runs it again, with a button that copies it where scripts are on."""
    if not manifest.again:
        return None
    button = tag("button", "Copy", type="button", data_copy=manifest.again, hidden=True)
    return tag(
        "div", tag("span", "run it again", class_="hint"), tag("code", manifest.again), button, class_="again"
    )


def title(verdict: Verdict) -> str:
    """The title of the page."""
    return f"{_WORDS[verdict.outcome]}: {verdict.scenario}, {verdict.world}, seed {verdict.seed}"


def favicon(verdict: Verdict) -> Markup:
    """A dot in the colour of the verdict for the browser's tab, inside the page."""
    colour = {Outcome.PASS: "12805c", Outcome.FAIL: "c92a3b", Outcome.UNKNOWN: "9a6700"}.get(
        verdict.outcome, "5f4bb6"
    )
    dot = f"%3Ccircle cx='4.5' cy='4.5' r='4.5' fill='%23{colour}'/%3E"
    frame = f"%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E{dot}%3C/svg%3E"
    return tag("link", rel="icon", href=f"data:image/svg+xml,{frame}")
