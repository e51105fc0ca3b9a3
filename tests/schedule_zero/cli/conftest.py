"""A server that answers what it was told to, and the command line against it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main

Answer = tuple[int, Any]


class Api:
    """Notes what it is asked, and answers `next` in turn, and `answer` when there is none left.

    A text is an event stream, which ends with it; any other body is JSON.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answer = (200, {})
        self.next: deque[Answer] = deque()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.asked.append((self.command, self.path, json.loads(body) if body else None))
                api.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, answer = api.next.popleft() if api.next else api.answer
                self.send_response(status)
                data = b"" if answer is None else (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                if not isinstance(answer, str):
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = do

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def api() -> Iterator[Api]:
    """A running server."""
    api = Api()
    thread = Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


@pytest.fixture
def run(api: Api) -> Callable[..., Result]:
    """Runs a command against the server."""
    return lambda *words: CliRunner().invoke(main, [*words, "--url", api.url])
