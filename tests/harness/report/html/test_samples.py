"""Samples as small charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.history.history import History
from harness.history.records import Header, Sample
from harness.report.html.chart import Span
from harness.report.html.samples import samples_charts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.report.pages import Node

    Parse = Callable[[str], Node]


def test_values_are_told_with_their_unit(parse: Parse) -> None:
    """Memory in bytes, lag of the load generator as a time, counts as they are."""
    values = {"rss": 40_000_000.0, "generator-lag": 0.004, "fds": 31.0}
    samples = [Sample(at=at, name=name, place="p", value=value) for name, value in values.items() for at in (1.0, 2.0)]

    page = parse(str(samples_charts(History(Header(), samples), (), Span(0.0, 3.0))))

    assert [desc.text for desc in page.all("desc")] == [
        "p: from 40 MB to 40 MB",
        "p: from 31 to 31",
        "p: from 4 ms to 4 ms",
    ]
