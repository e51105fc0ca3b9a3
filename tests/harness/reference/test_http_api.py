"""The pages on the HTTP API are complete, and say what the document says."""

from __future__ import annotations

from harness.reference import http_api
from harness.targets.schedule_zero.document import document


def test_every_operation_has_a_line_and_a_section() -> None:
    """The table leads to a heading for each, which has a row for each parameter."""
    routes, operations = http_api.routes(), http_api.operations()
    sections = {part.partition("\n")[0]: part for part in operations.split("### ")[1:]}
    for path, verbs in document()["paths"].items():
        for verb, operation in verbs.items():
            heading = f"{verb.upper()} {path}"
            assert f"| [`{heading}`](#" in routes
            for parameter in operation["parameters"]:
                assert f"| `{parameter['name']}` | {parameter['in']} |" in sections[heading]


def test_every_body_has_a_section_with_its_fields() -> None:
    """Types in words: limits, choices, references, defaults."""
    sections = {part.partition("\n")[0]: part for part in http_api.bodies().split("### ")[1:]}
    assert set(sections) == set(document()["components"]["schemas"])
    assert "| `attempts` | whole number (at least 1, at most 100) | `3` |" in sections["Retry"]
    assert "| `trigger` | [Trigger](#trigger) | required |" in sections["NewSchedule"]
    assert "| `timeout` | number (more than 0, at most 31,536,000) or null | `null` |" in sections["RunNow"]
    assert "[DateTrigger](#datetrigger) or [IntervalTrigger](#intervaltrigger)" in sections["Trigger"]


def test_scopes_and_problems_are_told() -> None:
    """Who may ask stands beside each request, and each status of a problem has a meaning."""
    routes = http_api.routes().splitlines()
    assert [line.endswith("| admin |") for line in routes if "DELETE /api/executions" in line] == [True]
    assert [line.endswith("| none |") for line in routes if "GET /api/health" in line] == [True]
    assert [line.partition(" |")[0] for line in http_api.problems().splitlines()[2:]] == [
        f"| {status}" for status in (400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 500, 503)
    ]
