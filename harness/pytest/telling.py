"""A failed run told in lines of text: verdict, evidence, the lines of the file, the command that runs it
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.checks.verdict import CheckResult
    from harness.session import Finished

_EVIDENCE = 5
"""Pieces of evidence shown for each failed check; the report has them all."""


def describe(finished: Finished) -> Iterator[str]:
    """The lines that tell a failed run."""
    verdict, planned = finished.verdict, finished.planned
    yield f"{verdict.scenario}: {verdict.outcome.value.upper()} - {verdict.reason}"
    lines = planned.loaded.source.text.splitlines()
    for result in verdict.failures:
        yield ""
        yield f"  {result.outcome.value}: {result.name} ({result.when}): {result.summary}"
        if 0 < result.line <= len(lines):
            yield f"    {planned.path}:{result.line}: {lines[result.line - 1].strip()}"
        yield from _evidence(result)
    yield ""
    yield f"  report: {finished.folder.html}"
    yield f"  again:  {planned.again}"


def _evidence(result: CheckResult) -> Iterator[str]:
    from harness.checks.evidence import first

    evidence, more = first(result.evidence, _EVIDENCE)
    for one in evidence:
        yield f"    - {one.text}"
    if more:
        yield f"    - and {more} more"
