"""Tests of the JUnit report."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest

from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.report.junit import junit

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def _suite(run: Run, verdict: Verdict | None = None) -> ET.Element:
    suite = ET.fromstring(junit(verdict or run.verdict, run.manifest)).find("testsuite")
    assert suite is not None
    return suite


def _kinds(suite: ET.Element) -> dict[str, str]:
    return {c.attrib["name"]: next((e.tag for e in c), "passed") for c in suite.findall("testcase")}


def test_each_check_is_a_case(chaos_run: Run) -> None:
    """Fail is a failure, unknown an error, known is skipped, and the counts say so."""
    suite = _suite(chaos_run)

    assert _kinds(suite) == {
        "runs-per-job": "passed",
        "no-lost-job": "failure",
        "within 30s of *.heal: backlog == 0": "error",
        "no-leaked-socket": "skipped",
        "no-orphan-process": "passed",
        "efsm-raised": "passed",
        "jobs.latency p99 < 6s": "passed",
    }
    counts = {k: suite.attrib[k] for k in ("tests", "failures", "errors", "skipped", "time", "name")}
    assert counts == {
        "tests": "7",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "138.511",
        "name": "chaos.handlers-under-fire",
    }


def test_a_failure_carries_its_evidence(chaos_run: Run) -> None:
    """The message is the summary, the text the evidence; scenario and section name the case."""
    case = next(c for c in _suite(chaos_run).findall("testcase") if c.attrib["name"] == "no-lost-job")
    failure = case.find("failure")

    assert failure is not None
    assert case.attrib["classname"] == "chaos.handlers-under-fire.always"
    assert failure.attrib["message"] == "1 of 1,404 accepted jobs has no outcome"
    assert failure.text is not None
    assert "h4 was killed at 30 s" in failure.text


def test_the_run_is_told_in_properties(chaos_run: Run) -> None:
    """Seed, world, outcome and the line that runs it again stand beside the cases."""
    found = {p.attrib["name"]: p.attrib["value"] for p in _suite(chaos_run).iter("property")}

    assert found == {"seed": "90210", "world": "real", "outcome": "fail", "again": chaos_run.manifest.again}


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.INTERRUPTED, "error"),
        (Outcome.UNSTEADY, "error"),
        (Outcome.UNKNOWN, "error"),
        (Outcome.FAIL, "failure"),
        (Outcome.PASS, "passed"),
    ],
)
def test_a_verdict_that_no_check_explains_is_a_case(chaos_run: Run, outcome: Outcome, kind: str) -> None:
    """A build never turns green, nor red, without a case that says why."""
    verdict = Verdict(scenario="x", seed=1, world="real", outcome=outcome, reason="why")

    assert _kinds(_suite(chaos_run, verdict)) == {"verdict": kind}


def test_a_known_failure_that_passed_is_a_failure(chaos_run: Run) -> None:
    """When the run fails although every check passed, the verdict itself is the failed case."""
    passed = CheckResult(name="runs", when="then", outcome=Outcome.PASS, samples=1, summary="once")
    verdict = Verdict(
        scenario="x",
        seed=1,
        world="real",
        outcome=Outcome.FAIL,
        reason="known failure passed",
        checks=(passed,),
    )

    assert _kinds(_suite(chaos_run, verdict)) == {"runs": "passed", "verdict": "failure"}


def test_any_text_makes_legal_xml(chaos_run: Run) -> None:
    """Control characters and markup in a history do not break the file."""
    bad = "\x00\x1b[31m]]></failure><x a='\"&\ud800"
    check = CheckResult(
        name=bad, when=bad, outcome=Outcome.FAIL, samples=1, summary=bad, evidence=(Evidence(text=bad),) * 60
    )
    verdict = Verdict(scenario=bad, seed=1, world=bad, outcome=Outcome.FAIL, reason=bad, checks=(check,))
    chaos_run.manifest = msgspec.structs.replace(chaos_run.manifest, again=bad)

    failure = _suite(chaos_run, verdict).find("testcase/failure")

    assert failure is not None
    assert failure.attrib["message"] == "\ufffd\ufffd[31m]]></failure><x a='\"&\ufffd"
    assert failure.text is not None
    assert failure.text.splitlines()[-1] == "10 more in verdict.json"
