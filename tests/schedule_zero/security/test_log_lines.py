"""What a server and its handlers log: the ids of the work, and no secret, whatever happens and at any level."""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.logs import formatter
from schedule_zero.security.key_files import read_pair
from schedule_zero.security.scopes import Scope
from schedule_zero.security.server_keys import handler_keys
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.integration


class Worker(BaseHandler):
    """Says what it does."""

    async def work(self) -> str:
        """Log a line from a coroutine, which runs in a thread of its own."""
        logging.getLogger("mine").info("at work")
        return "done"

    def fail(self) -> None:
        """Raise."""
        raise ValueError("no luck")


class Lines(logging.Handler):
    """Keeps every line, at every level, as JSON."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text: list[str] = []
        self.setFormatter(formatter("json"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.text.append(self.format(record))

    def told(self, event: str) -> dict[str, Any]:
        """The one line whose event begins so."""
        (found,) = [line for line in map(json.loads, self.text) if line["event"].startswith(event)]
        return dict(found)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """All that is logged during the test."""
    root, lines = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(lines)
    root.setLevel(level)


def _done(live: Any, token: str, method: str) -> str:
    """Run a job to its end; returns its id."""
    body = {"handler_id": "h1", "job_method": method}
    deadline = time.monotonic() + 15.0
    while (answer := live.client.ask("POST", "/api/run_now", body, token)).status == 404:
        assert time.monotonic() < deadline, "waited 15 s in vain for the handler's registration"
        time.sleep(0.02)
    place = answer.headers["location"]
    while (job := live.client.ask("GET", place, token=token).body)["state"] != "done":
        assert time.monotonic() < deadline, f"waited 15 s in vain for {place}"
        time.sleep(0.02)
    return str(job["job_id"])


def test_lines_have_ids_and_no_secrets(
    serve: Callable[[SecuritySettings], Any], folder: Path, tmp_path: Path, lines: Lines
) -> None:
    """A job that works, one that fails, a wrong token, a defect: told with the ids of job and request, by which the
    lines of server and handler are found together; tokens and secret keys stand in none of them.
    """
    token = add_token(tmp_path / "tokens.json", "me", Scope.ADMIN)
    wrong = f"{token[:-4]}0000"
    live = serve(SecuritySettings(tokens=tmp_path / "tokens.json", keys=folder))
    address = live.server.service.registration_address
    with Worker("h1", server_address=address, secure=handler_keys(folder, "h1")):
        worked, failed = _done(live, token, "work"), _done(live, token, "fail")
        refused = live.client.ask("GET", "/api/handlers", token=wrong)
        live.server.service.execution_stats = None  # calling it is a defect
        broken = live.client.ask("GET", "/api/executions/stats", token=token, X_Request_ID="mine-1")

    assert (refused.status, broken.status, broken.headers["x-request-id"]) == (401, 500, "mine-1")
    said = lines.told("at work")
    assert (said["handler"], said["method"], said["request_id"]) == ("h1", "work", worked)
    assert (lines.told("method fail failed")["request_id"], lines.told(f"job {failed}")["job_id"]) == (failed, failed)
    assert lines.told(f"job {failed}")["level"] == "warning"
    defect = lines.told("GET /api/executions/stats failed")
    assert (defect["request_id"], "TypeError" in defect["exception"]) == ("mine-1", True)
    secrets = [token, wrong, live.server.runtime()["token"], *(read_pair(folder, n).secret for n in ("server", "h1"))]
    assert [secret for secret in secrets if secret and any(secret in line for line in lines.text)] == []


def test_an_id_that_could_forge_a_line_is_not_taken(serve: Callable[[SecuritySettings], Any]) -> None:
    """What a client names its request is a word, or it gets another name."""
    live = serve(SecuritySettings())

    names = [live.client.ask("GET", "/api/health", X_Request_ID=name).headers["x-request-id"]
             for name in ("job:7_a.b-c", "a b", "x" * 101, '{"a"')]  # fmt: skip

    assert names[0] == "job:7_a.b-c"
    assert [len(name) for name in names[1:]] == [32, 32, 32]


def test_each_request_of_a_connection_has_an_id_of_its_own_a_page_too(
    serve: Callable[[SecuritySettings], Any], lines: Lines
) -> None:
    """A name that a client gave one request is not that of the next; a page's log lines have the id that it tells."""
    live = serve(SecuritySettings())
    live.server.service.handlers = None  # calling it is a defect
    connection = http.client.HTTPConnection("127.0.0.1", live.client.port, timeout=20.0)
    told: list[tuple[int, str]] = []
    try:
        for path, headers in (("/api/health", {"X-Request-ID": "first-one"}), ("/handlers", {}), ("/api/handlers", {})):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            told.append((answer.status, str(answer.headers["X-Request-ID"])))
    finally:
        connection.close()

    (_, first), (_, page), (_, last) = told
    assert [status for status, _ in told] == [200, 500, 500]
    assert first == "first-one"
    assert len({first, page, last}) == 3
    assert lines.told("GET /handlers failed")["request_id"] == page
    assert lines.told("GET /api/handlers failed")["request_id"] == last
