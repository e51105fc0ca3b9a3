"""The run in a handful of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.verdict import Outcome, Verdict
from harness.history.history import History
from harness.history.records import Header, Job
from harness.report.html.cards import figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.report.pages import Node

    Parse = Callable[[str], Node]


def _job(outcome: str, attempts: int = 1) -> Job:
    return Job(at=1.0, job_id="j", handler="h1", method="work", attempts=attempts, outcome=outcome)


def test_jobs_are_told_by_their_outcomes(parse: Parse) -> None:
    """A job that ended in an error has an outcome too: the tile says which, the most frequent first."""
    jobs = [*[_job("unreachable", 3)] * 2, *[_job("success")] * 28, _job("")]
    verdict = Verdict(scenario="s", seed=0, world="real", outcome=Outcome.PASS, reason="r")

    page = parse(str(figures(History(Header(), jobs), verdict)))

    cards = {card.all("p")[0].text: [p.text for p in card.all("p")[1:]] for card in page.all("div", "figure")}
    assert cards["Jobs"] == ["31", "28 success, 2 unreachable · 1 without outcome · 2 tried again"]
