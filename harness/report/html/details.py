"""The end of the page: faults one by one, logs of a run that went wrong, what the run was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.figures import duration, moment, plural, size
from harness.report.html.markup import Markup, join, tag
from harness.report.html.tables import pairs, table
from harness.report.manifest import Manifest
from harness.report.windows import FaultWindow

_FAULTS = 300


def fault_table(windows: Sequence[FaultWindow]) -> Markup | None:
    """Every injection in order of time; None without faults."""
    if not windows:
        return None
    rows = [
        (
            moment(w.begin),
            tag("code", w.id),
            w.kind,
            w.place,
            w.outcome.value if w.end is not None else "never healed",
            moment(w.end) if w.acted else "–",
            duration(w.end - w.begin) if w.acted and w.end is not None else "–",
            _detail(w.detail),
        )
        for w in windows[:_FAULTS]
    ]
    more = len(windows) - _FAULTS
    head = ("injected", "fault", "kind", "where", "outcome", "healed", "for", "detail")
    return join(
        table("Faults in order of time", head, rows),
        tag("p", f"{more} more in history.jsonl", class_="note") if more > 0 else None,
    )


def _detail(detail: Mapping[str, Any]) -> str:
    text = ", ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value, default=str)}"
        for key, value in detail.items()
    )
    return text if len(text) <= 240 else text[:239] + "…"


def logs_section(logs: Mapping[str, str]) -> Markup | None:
    """The end of every log; None without logs."""
    if not logs:
        return None
    return join(
        [
            tag(
                "details",
                tag(
                    "summary",
                    tag("code", name),
                    tag("span", plural(len(text.splitlines()), "line"), class_="samples"),
                ),
                tag("pre", text, class_="log", tabindex="0"),
                class_="fold",
            )
            for name, text in logs.items()
        ]
    )


def manifest_section(manifest: Manifest) -> Markup:
    """What the run was made with."""
    machine = manifest.machine
    run = pairs(
        [
            ("scenario file", tag("code", manifest.file) if manifest.file else ""),
            ("kind", manifest.kind),
            ("world", manifest.world),
            ("seed", str(manifest.seed)),
            ("started", manifest.started),
            ("ended", manifest.ended),
            ("took", duration(manifest.duration) if manifest.duration is not None else ""),
            ("commit", tag("code", manifest.commit) if manifest.commit else ""),
            ("command", tag("code", " ".join(manifest.command)) if manifest.command else ""),
            ("again", tag("code", manifest.again) if manifest.again else ""),
            (
                "machine",
                f"{machine.platform} {machine.kernel}, {machine.architecture}, "
                f"{plural(machine.processors, 'processor')}, {size(machine.memory)}",
            ),
        ]
    )
    versions = pairs(list(manifest.versions.items()))
    settings = None
    if manifest.settings:
        rows = [
            (name, json.dumps(s.value, default=str, ensure_ascii=False), s.source)
            for name, s in manifest.settings.items()
        ]
        settings = table("Settings in force", ("setting", "value", "set by"), rows)
    return join(run, tag("h3", "Versions"), versions, settings, _source(manifest))


def _source(manifest: Manifest) -> Markup | None:
    if not manifest.source:
        return None
    rows = [tag("span", tag("i", str(n)), text) for n, text in enumerate(manifest.source.splitlines()[:600], 1)]
    return tag(
        "details",
        tag("summary", "The scenario file as it was written"),
        tag("pre", rows, class_="source", tabindex="0"),
        class_="fold",
    )
