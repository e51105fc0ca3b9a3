"""The whole page, put together from its sections."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

from harness.checks.verdict import Outcome, Verdict
from harness.report.distributions import Distribution, latencies
from harness.report.html.bands import fault_chart
from harness.report.html.cards import figures
from harness.report.html.chart import Span, section
from harness.report.html.checks import checks_section
from harness.report.html.cycles import cycles_section
from harness.report.html.details import fault_table, logs_section, manifest_section
from harness.report.html.lanes import lanes_chart
from harness.report.html.latency import latency_chart
from harness.report.html.markup import Markup, join, tag
from harness.report.html.overview import banner, favicon, title
from harness.report.html.percentiles import percentiles
from harness.report.html.samples import samples_charts
from harness.report.html.throughput import throughput_chart
from harness.report.manifest import Manifest
from harness.report.series import buckets, tally
from harness.report.windows import fault_windows, phase_windows, time_range

if TYPE_CHECKING:
    from harness.history.history import History

_TIMELINE = "Drag across a chart to look closer, double-click to see all again; shaded bands are faults."


def render(
    history: History,
    verdict: Verdict,
    manifest: Manifest,
    *,
    logs: Mapping[str, str] | None = None,
    measured: tuple[Distribution, ...] | None = None,
) -> str:
    """One HTML document. `logs` are shown when the run did not pass.

    `measured` are further distributions beside the latencies.
    """
    parts = [
        section("checks", "Checks", checks_section(verdict.checks, manifest.source)),
        _timeline(history),
        _optional("percentiles", "Percentiles", percentiles((*latencies(history), *(measured or ())))),
        _optional("cycles", "Cycles", cycles_section(history)),
        _optional("faults", "Faults", fault_table(fault_windows(history))),
        _optional("logs", "Logs", logs_section(logs or {}) if verdict.outcome is not Outcome.PASS else None),
        section("about", "About this run", manifest_section(manifest)),
    ]
    shown = [(ident, head, part) for (ident, head), part in zip(_NAMES, parts, strict=True) if part is not None]
    nav = tag("nav", [tag("a", head, href=f"#{ident}") for ident, head, _ in shown], aria_label="sections")
    body = join(
        banner(verdict, manifest),
        figures(history, verdict),
        nav,
        tag("main", [part for _, _, part in shown]),
        _foot(manifest),
    )
    return "<!doctype html>\n" + tag("html", _head(verdict), tag("body", body, _script()), lang="en") + "\n"


_NAMES = (
    ("checks", "Checks"),
    ("timeline", "Timeline"),
    ("percentiles", "Percentiles"),
    ("cycles", "Cycles"),
    ("faults", "Faults"),
    ("logs", "Logs"),
    ("about", "About this run"),
)


def _optional(ident: str, heading: str, content: Markup | None) -> Markup | None:
    return None if content is None else section(ident, heading, content)


def _timeline(history: History) -> Markup:
    span = Span(*time_range(history))
    windows, phases = fault_windows(history), phase_windows(history)
    cut = buckets(history, span.low, span.high)
    charts = [
        fault_chart(windows, phases, span) if windows or phases else None,
        latency_chart(history, cut, windows, span),
        throughput_chart(cut, tally(history), windows, span),
        lanes_chart(history, windows, span),
        samples_charts(history, windows, span),
    ]
    if not any(charts):
        return section(
            "timeline",
            "Timeline",
            tag("p", "Nothing happened: the history holds no record that could be drawn.", class_="empty"),
        )
    reset = tag("button", "Show all", type="button", class_="reset", hidden=True)
    return section("timeline", "Timeline", reset, tag("p", _TIMELINE, class_="lead script-only"), *charts)


def _foot(manifest: Manifest) -> Markup:
    version = manifest.versions.get("harness", "")
    return tag(
        "footer", f"harness {version}. Times are seconds of scenario time; 0 is the beginning of the run phase."
    )


def _asset(name: str) -> str:
    return (resources.files("harness.report.html") / "assets" / name).read_text(encoding="utf-8")


def _head(verdict: Verdict) -> Markup:
    # The policy lets nothing be fetched, and nothing run but the one script below, whatever a log may hold.
    digest = base64.b64encode(hashlib.sha256(_asset("page.js").encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title(verdict)),
        favicon(verdict),
        tag("style", Markup(_asset("page.css"))),
    )


def _script() -> Markup:
    return tag("script", Markup(_asset("page.js")))
