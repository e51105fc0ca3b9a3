"""The command line: quick help, one-line errors, exit codes, and what it asks the server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main
from schedule_zero.ports import reserve_port

pytestmark = pytest.mark.unit

Answer = tuple[int, Any]


class Api:
    """A server that notes what it is asked and answers what it was told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: Answer = (200, {})
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.asked.append((self.command, self.path, json.loads(body) if body else None))
                status, answer = api.answer
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
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


def test_help_is_quick() -> None:
    """`--help` imports neither the scheduler nor ZeroMQ nor the HTTP server."""
    code = (
        "import sys\nfrom schedule_zero.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('apscheduler', 'sqlalchemy', 'zmq', 'tornado', 'ruamel.yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "governor" in done.stdout


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("handlers", "list"), ("GET", "/api/handlers", None)),
        (("schedules", "list"), ("GET", "/api/schedules", None)),
        (("schedules", "remove", "a/b"), ("DELETE", "/api/schedules/a%2Fb", None)),
        (("schedules", "pause", "s"), ("PATCH", "/api/schedules/s", {"paused": True})),
        (("schedules", "resume", "s"), ("PATCH", "/api/schedules/s", {"paused": False})),
        (("jobs", "show", "j"), ("GET", "/api/jobs/j", None)),
        (("executions", "--outcome", "error"), ("GET", "/api/executions?outcome=error&limit=50&order=newest", None)),
        (
            ("jobs", "run", "h", "m", "--params", '{"a": 1}'),
            ("POST", "/api/run_now", {"handler_id": "h", "job_method": "m", "job_params": {"a": 1}}),
        ),
        (
            ("schedules", "add", "h", "m", "--id", "s", "--trigger", '{"type": "interval", "seconds": 5}'),
            (
                "POST",
                "/api/schedule",
                {
                    "handler_id": "h",
                    "job_method": "m",
                    "job_params": {},
                    "job_id": "s",
                    "trigger": {"type": "interval", "seconds": 5},
                },
            ),
        ),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value[1], str) else None,
)
def test_each_command_asks_the_api(
    words: tuple[str, ...], asked: tuple[str, str, Any], api: Api, run: Callable[..., Result]
) -> None:
    """Every command is one request, with ids quoted."""
    result = run(*words)

    assert (result.exit_code, api.asked) == (0, [asked]), result.output


def test_a_list_is_a_table_or_json(api: Api, run: Callable[..., Result]) -> None:
    """People get columns, machines the server's own answer."""
    handlers = [{"id": "h1", "status": "Connected", "address": "tcp://x:1", "pid": 7, "last_seen": None}]
    api.answer = (200, handlers)

    assert run("handlers", "list").output.splitlines() == [
        "ID  STATUS     ADDRESS    PID  LAST_SEEN  RUNNING_JOBS",
        "h1  Connected  tcp://x:1  7",
    ]
    assert json.loads(run("handlers", "list", "--json").output) == handlers


def test_a_refusal_is_one_line(api: Api, run: Callable[..., Result]) -> None:
    """The server's own words, without a traceback, and exit code 1."""
    api.answer = (404, {"title": "Not Found", "detail": "no schedule 's'"})

    result = run("schedules", "remove", "s")

    assert (result.exit_code, result.output) == (1, "schedule-zero: 404 Not Found: no schedule 's'\n")


def test_no_server_is_exit_code_6() -> None:
    """Nobody listening is told apart from a refusal."""
    with reserve_port() as reservation:
        url = f"http://127.0.0.1:{reservation.port}"
        result = CliRunner().invoke(main, ["handlers", "list", "--url", url])

    assert result.exit_code == 6
    assert result.output.startswith(f"schedule-zero: no server answers at {url}: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("params", ["{", "[1]", "7"])
def test_parameters_that_are_no_object_are_refused(params: str, api: Api, run: Callable[..., Result]) -> None:
    """A mistyped --params never reaches the server."""
    result = run("jobs", "run", "h", "m", "--params", params)

    assert (result.exit_code, api.asked) == (2, [])
    assert result.output.startswith("schedule-zero: --params: ")


def test_a_wrong_configuration_is_one_line_with_its_place(tmp_path: Path) -> None:
    """A mistake in a deployment's file is told with line and column, exit code 2."""
    (tmp_path / "bad.yaml").write_text("http: {port: x}")

    result = CliRunner().invoke(main, ["governor", "start", "--config", str(tmp_path / "bad.yaml")])

    assert result.exit_code == 2
    assert result.output == (
        f"schedule-zero: {tmp_path}/bad.yaml:1:14: http.port: expected a whole number, found 'x'\n"
    )


def test_logs_that_do_not_exist_are_told_with_those_that_do(tmp_path: Path) -> None:
    """`governor logs` names the services that have a log."""
    logs = tmp_path / "t" / "logs"
    logs.mkdir(parents=True)
    (logs / "server.log").write_text("one\ntwo\nthree\n")
    where = ["--deployment", "t", "--root", str(tmp_path)]

    shown = CliRunner().invoke(main, ["governor", "logs", "server", "-n", "2", *where])
    absent = CliRunner().invoke(main, ["governor", "logs", "h1", *where])

    assert (shown.exit_code, shown.output) == (0, "two\nthree\n")
    assert (absent.exit_code, "there are: server" in absent.output) == (2, True)
