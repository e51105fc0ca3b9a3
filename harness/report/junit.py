"""The verdict as JUnit XML, one test case a check.

Build servers know three ways not to pass: a broken check is a ``failure``, an unknown one an ``error``
(nothing was proven), a known one ``skipped``. What the whole run came to, where no single check says it, is a
case named ``verdict``.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.report.figures import moment
from harness.report.manifest import Manifest
from harness.report.text import legal

_EVIDENCE = 50


def junit(verdict: Verdict, manifest: Manifest) -> bytes:
    """The document, in UTF-8 with its declaration."""
    cases = [_case(verdict, check) for check in verdict.checks]
    if not _explained(verdict):
        cases.append(_whole(verdict))
    counts = {
        kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")
    }
    numbers = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{manifest.duration or verdict.duration:.3f}",
    }
    root = ET.Element("testsuites", {"name": "harness", **numbers})
    suite = ET.SubElement(
        root, "testsuite", {"name": legal(verdict.scenario), "timestamp": manifest.started[:19], **numbers}
    )
    properties = ET.SubElement(suite, "properties")
    facts = {
        "seed": str(verdict.seed),
        "world": verdict.world,
        "outcome": verdict.outcome.value,
        "again": manifest.again,
    }
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": legal(value)})
    suite.extend(cases)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def write_junit(path: Path, verdict: Verdict, manifest: Manifest) -> None:
    """Write the document to `path`."""
    path.write_bytes(junit(verdict, manifest))


def _explained(verdict: Verdict) -> bool:
    """Whether the checks alone make the verdict what it is."""
    stood = {c.outcome for c in verdict.checks if not c.known}
    if verdict.outcome is Outcome.PASS:
        return bool(verdict.checks)
    return verdict.outcome in stood


def _case(verdict: Verdict, check: CheckResult) -> ET.Element:
    name = {"classname": legal(f"{verdict.scenario}.{check.when}"), "name": legal(check.name)}
    case = ET.Element("testcase", {**name, "time": "0", "assertions": str(check.samples)})
    if check.outcome is Outcome.PASS:
        return case
    kind = "skipped" if check.known else "failure" if check.outcome is Outcome.FAIL else "error"
    message = ("known: " if check.known else "") + check.summary
    found = ET.SubElement(case, kind, {"message": legal(message), "type": check.outcome.value})
    found.text = legal("\n".join(_evidence(check)))
    return case


def _evidence(check: CheckResult) -> list[str]:
    lines = [f"{moment(e.at)}: {e.text}" if e.at is not None else e.text for e in check.evidence[:_EVIDENCE]]
    more = len(check.evidence) - _EVIDENCE
    return [*lines, f"{more} more in verdict.json"] if more > 0 else lines


def _whole(verdict: Verdict) -> ET.Element:
    case = ET.Element("testcase", {"classname": legal(verdict.scenario), "name": "verdict", "time": "0"})
    if verdict.outcome is not Outcome.PASS:
        kind = "failure" if verdict.outcome is Outcome.FAIL else "error"
        ET.SubElement(case, kind, {"message": legal(verdict.reason), "type": verdict.outcome.value})
    return case
