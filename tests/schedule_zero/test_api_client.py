"""`ApiClient` against a real HTTP server: answers, refusals, and servers that are not there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.api_client import ApiClient, ServerUnreachable, chosen_url, find_server, path_of
from schedule_zero.errors import RemoteError, ScheduleZeroError

pytestmark = pytest.mark.integration

ANSWERS = {
    "/ok": (200, b'{"a": [1]}'),
    "/nothing": (204, b""),
    "/problem": (409, b'{"title": "Conflict", "detail": "the id is taken"}'),
    "/titled": (404, b'{"title": "Not Found"}'),
    "/bare": (500, b"it broke"),
    "/list": (400, b"[1]"),
    "/nonsense": (200, b"{"),
}


class Server(ThreadingHTTPServer):
    """Answers by path, and keeps what it was asked."""

    asked: list[tuple[str, str, Any]]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked = []


class Answering(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Answer from the table."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        assert isinstance(server, Server)
        server.asked.append((self.command, self.path, json.loads(body) if body else None))
        code, answer = ANSWERS[self.path.partition("?")[0]]
        self.send_response(code)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join(5.0)


@pytest.fixture
def client(server: Server) -> ApiClient:
    """A client of it."""
    return ApiClient(f"http://127.0.0.1:{server.server_port}/", timeout=5.0)


def test_a_call_carries_body_and_query(server: Server, client: ApiClient) -> None:
    """JSON goes there and comes back; what is None is left out of the query; an empty answer is None."""
    assert client.call("POST", "/ok", {"n": 1}, {"limit": 5, "since": None, "name": "a b"}) == {"a": [1]}
    assert client.call("GET", "/nothing") is None
    assert server.asked == [("POST", "/ok?limit=5&name=a+b", {"n": 1}), ("GET", "/nothing", None)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/problem", "409 Conflict: the id is taken"),
        ("/titled", "404 Not Found: Not Found"),
        ("/bare", "500 Internal Server Error"),
        ("/list", "400 Bad Request"),
    ],
)
def test_a_refusal_is_in_the_words_of_the_server(client: ApiClient, path: str, said: str) -> None:
    """The code and the detail of the problem; without one, what HTTP says."""
    with pytest.raises(RemoteError) as caught:
        client.call("GET", path)
    assert (str(caught.value), caught.value.code) == (said, said[:3])


def test_a_server_that_is_not_there_or_talks_nonsense(client: ApiClient) -> None:
    """Nobody at the port, or an answer that is no JSON, is one sentence with the URL."""
    with pytest.raises(ServerUnreachable, match=r"no server answers at http://127\.0\.0\.1:1: "):
        ApiClient("http://127.0.0.1:1", timeout=2.0).call("GET", "/ok")
    with pytest.raises(ServerUnreachable, match="no server answers"):
        client.call("GET", "/nonsense")
    with pytest.raises(ScheduleZeroError, match="expected http://HOST:PORT, found 'file:///etc/passwd'"):
        ApiClient("file:///etc/passwd")


def test_where_a_deployments_server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As given, else from the environment, else as the governor reported, else as configured."""
    for name in ("SCHEDULEZERO_URL", "SCHEDULEZERO_PORT", "SCHEDULEZERO_HOST", "SCHEDULEZERO_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert find_server("clock", None, tmp_path) == "http://127.0.0.1:8889"
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "server.json").write_text('{"http_url": "http://127.0.0.1:1234"}')
    assert find_server("clock", None, tmp_path) == "http://127.0.0.1:1234"
    (tmp_path / "clock" / "server.json").write_text("half a fi")
    assert chosen_url(None, "clock", None, tmp_path) == "http://127.0.0.1:8889"
    monkeypatch.setenv("SCHEDULEZERO_URL", "http://elsewhere:1")
    assert chosen_url(None, "clock", None, tmp_path) == "http://elsewhere:1"
    assert chosen_url("http://given:2", "clock", None, tmp_path) == "http://given:2"


def test_parts_of_a_path_are_quoted() -> None:
    """An id with a slash stays one part."""
    assert path_of("schedules", "a/b c") == "/api/schedules/a%2Fb%20c"
