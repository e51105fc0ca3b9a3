"""``jobs run --wait`` and ``events``: what comes later, and servers that go away meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

pytestmark = pytest.mark.unit

Run = Callable[..., Result]
_ACCEPTED = (202, {"job_id": "j"})
_PENDING = (200, {"job_id": "j", "state": "pending"})


def _done(outcome: str, **more: Any) -> tuple[int, Any]:
    return 200, {"job_id": "j", "state": "done", "outcome": outcome, **more}


def test_a_job_that_succeeds_is_printed_with_its_result(api: Any, run: Run) -> None:
    """It is asked for until it has ended, also when the server is stopping for a moment: the job is durable."""
    api.next.extend([_ACCEPTED, _PENDING, (503, {"detail": "stopping"}), _done("success", result=5)])

    result = run("jobs", "run", "h", "m", "--wait")

    assert (result.exit_code, json.loads(result.output)["result"]) == (0, 5)
    assert [path for _, path, _ in api.asked] == ["/api/run_now", *["/api/jobs/j"] * 3]


def test_a_job_that_fails_is_exit_code_7(api: Any, run: Run) -> None:
    """Its outcome and error are the sentence."""
    api.next.extend([_ACCEPTED, _done("error", error="call_failed: no luck")])

    result = run("jobs", "run", "h", "m", "--wait")

    assert result.exit_code == 7
    assert result.output.splitlines()[-1] == "schedule-zero: job j: error: call_failed: no luck"


def test_waiting_has_an_end(api: Any, run: Run) -> None:
    """Exit code 8, with where the job stands."""
    api.next.append(_ACCEPTED)
    api.answer = _PENDING

    result = run("jobs", "run", "h", "m", "--wait", "--wait-timeout", "0.1")

    assert (result.exit_code, result.output) == (
        8, "schedule-zero: job j has not ended within 0.1 s: is pending; it goes on\n",
    )  # fmt: skip


def _event(number: int, kind: str, **data: Any) -> str:
    return f"id: r-{number}\nevent: {kind}\ndata: {json.dumps({'kind': kind, 'at': 'then', **data})}\n\n"


def test_events_are_lines_and_a_lost_connection_is_resumed(api: Any, run: Run) -> None:
    """One line an event of the wanted kind; after a break the server is asked for what came since."""
    hello = 'id: r-0\nevent: hello\ndata: {"run": "r"}\n\n'
    api.next.extend([
        (200, hello + _event(1, "job.added", job_id="j") + ": still here\n\n" + _event(2, "job.finished", job_id="j")),
        (200, _event(3, "job.finished", job_id="k")),
    ])  # fmt: skip

    result = run("events", "--kind", "job.finished", "--count", "2")

    assert (result.exit_code, result.output.splitlines()) == (
        0, ["then  job.finished      job_id=j", "then  job.finished      job_id=k"],
    )  # fmt: skip
    assert [one.get("last-event-id") for one in api.headers] == [None, "r-2"]


def test_events_for_machines_are_json_lines(api: Any, run: Run) -> None:
    """Also that some were lost."""
    api.answer = (200, 'event: lost\ndata: {"lost": 4}\n\n' + _event(9, "job.added", job_id="j"))

    result = run("events", "--json", "--count", "2")

    assert [json.loads(line) for line in result.output.splitlines()] == [
        {"kind": "lost", "lost": 4}, {"kind": "job.added", "at": "then", "job_id": "j"},
    ]  # fmt: skip


def test_a_server_that_does_not_come_back_is_exit_code_6(api: Any, run: Run) -> None:
    """Patience has an end; what was told before stays told."""
    api.next.append((200, _event(1, "job.added", job_id="j")))
    api.answer = (503, {"detail": "stopping"})

    result = run("events", "--patience", "0.2")

    assert result.exit_code == 6
    first, last = result.output.splitlines()
    assert first.startswith("then  job.added")
    assert last.startswith(f"schedule-zero: the event stream of {api.url} broke off")


def test_a_refused_reader_is_told_why(api: Any, run: Run) -> None:
    """Too many readers, or a wrong token, is the server's sentence and not a silence."""
    api.answer = (401, {"detail": "a token is needed"})

    result = run("events")

    assert (result.exit_code, result.output) == (1, "schedule-zero: 401 Unauthorized: a token is needed\n")
