"""POST /api/run_now and GET /api/jobs/{id} over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from apscheduler import Job

from schedule_zero.store_schedules import insert_job

pytestmark = pytest.mark.integration


def test_a_job_is_accepted_and_its_outcome_found_at_its_location(api: Any) -> None:
    """202 with the id and a Location, where the outcome and result are found."""
    answer = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo", "job_params": {"text": "hé"}})
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/jobs/{answer.body['job_id']}"
    job = api.until(answer.headers["location"], lambda body: body["state"] == "done")
    assert (job["outcome"], job["result"], job["handler_id"], job["method"]) == ("success", "hé", "h", "echo")


def test_the_error_of_a_handler_is_the_outcome(api: Any) -> None:
    """The job is done with outcome error and the handler's message."""
    answer = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "fail"})
    job = api.until(answer.headers["location"], lambda body: body["state"] == "done")
    assert job["outcome"] == "error"
    assert "no such luck" in job["error"]


@pytest.mark.parametrize(
    ("path", "more"), [("run_now", {}), ("schedule", {"trigger": {"type": "interval", "hours": 1}})]
)
def test_a_method_that_the_handler_does_not_have_is_refused(api: Any, path: str, more: Any) -> None:
    """The handler told its methods at its registration: 422, with those that there are."""
    answer = api.ask("POST", f"/api/{path}", {"handler_id": "h", "job_method": "ecko", **more})
    reason = "handler 'h' has no method 'ecko'; it has: echo, fail"
    assert (answer.status, answer.body) == (
        422,
        {
            "title": "Invalid value",
            "status": 422,
            "detail": f"job_method: {reason}",
            "errors": [{"field": "job_method", "detail": reason}],
        },
    )


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_repeated_key_answers_as_the_first_time(api: Any, where: str) -> None:
    """The same request under the same key is the same job; another request under it is a conflict."""
    body = {"handler_id": "h", "job_method": "echo"}
    headers = {}
    if where == "header":
        headers["Idempotency-Key"] = "key-in-header"
    else:
        body["idempotency_key"] = "key-in-body"
    first = api.ask("POST", "/api/run_now", body, headers=headers)
    assert first.status == 202
    assert api.ask("POST", "/api/run_now", body, headers=headers).body == first.body
    other = api.ask("POST", "/api/run_now", {**body, "job_method": "fail"}, headers=headers)
    assert (other.status, other.body["title"]) == (409, "Conflict")


@pytest.mark.parametrize(
    ("path", "more"),
    [("/api/run_now", {}), ("/api/schedule", {"trigger": {"type": "date", "run_date": "2099-01-01T00:00:00Z"}})],
)
def test_a_key_is_the_same_in_the_header_and_in_the_body(api: Any, path: str, more: Any) -> None:
    """A repetition may carry its key in the other place, or in both; two keys at once are 422, and nothing is done."""
    body, key = {"handler_id": "h", "job_method": "echo", **more}, f"anywhere {path}"
    first = api.ask("POST", path, body, headers={"Idempotency-Key": key})
    assert first.status in (201, 202)
    assert api.ask("POST", path, {**body, "idempotency_key": key}).body == first.body
    assert api.ask("POST", path, {**body, "idempotency_key": key}, headers={"Idempotency-Key": key}).body == first.body
    two = api.ask("POST", path, {**body, "idempotency_key": "one"}, headers={"Idempotency-Key": "two"})
    detail = "'one' here, but 'two' in the header: give one key, not two"
    assert (two.status, two.body["errors"]) == (422, [{"field": "idempotency_key", "detail": detail}])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"job_method": "echo"}, 422, "handler_id"),
        ({"handler_id": 5, "job_method": "echo"}, 422, "handler_id"),
        ({"handler_id": "h", "job_method": ""}, 422, "job_method"),
        ({"handler_id": "h", "job_method": "echo", "job_params": []}, 422, "job_params"),
        ({"handler_id": "h", "job_method": "echo", "timeout": -1}, 422, "timeout"),
        ({"handler_id": "h", "job_method": "echo", "colour": "red"}, 422, "colour"),
        ({"handler_id": "h", "job_method": "echo", "retry": {"attempts": 0}}, 422, "retry.attempts"),
        ([], 422, ""),
    ],
)
def test_a_wrong_body_is_refused_by_field(api: Any, body: Any, status: int, field: str) -> None:
    """422 problem details name the field."""
    answer = api.ask("POST", "/api/run_now", body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.body["errors"]] == [field]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"nonsense", b"[" * 100_000])
def test_what_is_not_json_is_a_bad_request(api: Any, raw: bytes) -> None:
    """400, never 500."""
    answer = api.ask("POST", "/api/run_now", raw=raw)
    assert (answer.status, answer.body["title"]) == (400, "Bad request")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'"\\ud800"', r"a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character"),
        (
            b'["\\uDC00 and more"]',
            r"a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character",
        ),
        (b'"\\ud800', "Input data was truncated"),
        (b'"\xff"', "the body is no text in UTF-8"),
    ],
)
def test_texts_that_are_none_are_told_in_words(api: Any, raw: bytes, detail: str) -> None:
    """Half a pair of surrogates, and bytes that are no UTF-8, are called what they are."""
    answer = api.ask("POST", "/api/run_now", raw=raw)
    assert (answer.status, answer.body["detail"]) == (400, detail)


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b'{"handler_id": "h", "job_method": "echo", "job_params": {"n": {"m": [1%b]}}}', ["job_params"]),
        (b'{"handler_id": "h", "job_method": "echo", "job_params": {}, "timeout": 1%b}', ["timeout"]),
        (b"[1%b]", []),
    ],
)
def test_a_number_that_cannot_be_read_is_told_by_field(api: Any, raw: bytes, fields: list[str]) -> None:
    """A whole number of 5,001 digits: Python reads 4,300."""
    answer = api.ask("POST", "/api/run_now", raw=raw % (b"0" * 5000))
    assert (answer.status, answer.body["detail"].rpartition(": ")[2]) == (422, "Integer value out of range")
    assert [error["field"] for error in answer.body.get("errors", [])] == fields


def test_a_control_character_in_an_id_is_told_in_words(api: Any) -> None:
    """Field and detail name the place and the reason, and show no regular expression."""
    answer = api.ask("POST", "/api/run_now", {"handler_id": "h\n", "job_method": "echo"})
    assert (answer.status, answer.body["detail"], answer.body["errors"]) == (
        422,
        "Expected a text of 1 to 200 characters, none of them a control character - at `$.handler_id`",
        [{"field": "handler_id", "detail": "Expected a text of 1 to 200 characters, none of them a control character"}],
    )


def test_params_that_no_message_can_carry_are_refused(api: Any) -> None:
    """Deeper nesting than the wire takes is told when asked for, not when the job fails."""
    deep: Any = 0
    for _ in range(70):
        deep = [deep]
    answer = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo", "job_params": {"x": deep}})
    assert (answer.status, answer.body["detail"]) == (422, "nested more than 60 deep")


def test_a_body_that_is_too_large_is_refused(api: Any) -> None:
    """413 with the limit, while the connection lives."""
    answer = api.ask("POST", "/api/run_now", raw=b" " * (8 * 1024 * 1024 + 1))
    assert (answer.status, answer.body["status"]) == (413, 413)


def test_another_media_type_is_refused(api: Any) -> None:
    """415: a form of a foreign page cannot start a job."""
    answer = api.ask("POST", "/api/run_now", raw=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status == 415


def test_unknown_handlers_and_jobs_are_not_found(api: Any) -> None:
    """404 for a handler that never registered and for a job that never was."""
    answer = api.ask("POST", "/api/run_now", {"handler_id": "nobody", "job_method": "echo"})
    assert (answer.status, answer.body["detail"]) == (404, "no handler 'nobody' has ever registered here")
    assert api.ask("GET", "/api/jobs/5").status == 404


def test_jobs_that_wait_and_run_are_listed(api: Any, server: Any) -> None:
    """Jobs of a handler that went away wait, in order of arrival, page by page; when it is back they end."""
    body = {"handler_id": "away", "job_method": "echo", "timeout": 60}
    with type(api.worker)("away", server_address=server.service.registration_address):
        api.until("/api/handlers/away", lambda body: body["status"] == "Connected")
    api.until("/api/handlers/away", lambda body: body["status"] == "Disconnected")
    ids = [api.ask("POST", "/api/run_now", body).body["job_id"] for _ in range(5)]
    assert [api.ask("GET", f"/api/jobs/{job}").body["state"] in ("pending", "running") for job in ids] == [True] * 5
    seen: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        page = api.ask("GET", f"/api/jobs?handler_id=away&limit=2{cursor and f'&cursor={cursor}'}").body
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
    assert seen == ids
    states = [api.ask("GET", f"/api/jobs?handler_id=away&state={state}").body for state in ("pending", "running")]
    assert sorted(job["job_id"] for body in states for job in body["jobs"]) == sorted(ids)
    with type(api.worker)("away", server_address=server.service.registration_address):
        api.until("/api/jobs?handler_id=away", lambda body: body["jobs"] == [])
    assert api.ask("GET", "/api/jobs?state=done").status == 422


def test_a_job_that_waits_can_be_removed(api: Any, server: Any) -> None:
    """It ends as cancelled, without a call; one that has ended, and one that never was, are not there to be removed."""
    slow = type(api.worker)("slow", server_address=server.service.registration_address)
    with slow:
        api.until("/api/handlers/slow", lambda body: body["status"] == "Connected")
    api.until("/api/handlers/slow", lambda body: body["status"] == "Disconnected")
    body = {"handler_id": "slow", "job_method": "echo", "timeout": 60}
    limit = server.service.config.per_handler_jobs
    running, *_, waiting = [api.ask("POST", "/api/run_now", body).body["job_id"] for _ in range(limit + 1)]
    api.until(f"/api/jobs/{running}", lambda body: body["state"] == "running")
    refused = api.ask("DELETE", f"/api/jobs/{running}")
    assert (refused.status, refused.body["title"]) == (409, "Conflict")
    assert refused.body["detail"].endswith(" is running, and ends by itself: only a job that waits can be removed")
    assert api.ask("DELETE", f"/api/jobs/{waiting}").status == 204
    job = api.ask("GET", f"/api/jobs/{waiting}").body
    assert (job["state"], job["outcome"], job["error"]) == ("done", "cancelled", "removed before it was begun")
    assert "attempts" not in job
    for gone in (waiting, "5"):
        again = api.ask("DELETE", f"/api/jobs/{gone}")
        assert (again.status, again.body["detail"]) == (404, f"there is no job {gone!r} that waits")


def test_what_cannot_be_read_is_listed_and_removed(api: Any) -> None:
    """Schedules and jobs whose rows are damaged stand beside the others, with the reason, and go as these do."""
    trigger = {"type": "interval", "hours": 1}
    body = {"handler_id": "h", "job_method": "echo", "job_id": "bad", "trigger": trigger}
    assert api.ask("POST", "/api/schedule", body).status == 201
    api.write(lambda c: insert_job(c, Job(task_id="handler:h", kwargs={}, executor="somewhere else")))
    api.write(lambda c: c.execute("UPDATE schedules SET kwargs = '{' WHERE id = 'bad'").rowcount)
    schedules, jobs = api.ask("GET", "/api/schedules").body, api.ask("GET", "/api/jobs?handler_id=h").body
    assert schedules["unreadable"] == [{"id": "bad", "error": "DecodeError: Input data was truncated"}]
    [job] = jobs["unreadable"]
    assert job["error"] == "ValueError: job executor 'somewhere else' is not known, expected 'async'"
    assert api.ask("GET", f"/api/jobs/{job['id']}").status == 503
    assert api.ask("DELETE", f"/api/jobs/{job['id']}").status == 204
    assert api.ask("DELETE", "/api/schedules/bad").status == 204
    assert api.ask("GET", "/api/schedules").body["unreadable"] == []
    assert api.ask("GET", "/api/jobs?handler_id=h").body["unreadable"] == []
    assert api.ask("GET", f"/api/jobs/{job['id']}").body["outcome"] == "cancelled"
