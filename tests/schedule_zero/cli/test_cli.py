"""The command line: quick help, one-line errors, exit codes, and what it asks the server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main
from schedule_zero.ports import reserve_port

pytestmark = pytest.mark.unit

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


def test_a_list_is_a_table_or_json(api: Any, run: Callable[..., Result]) -> None:
    """People get columns, machines the server's own answer."""
    handlers = [{"id": "h1", "status": "Connected", "address": "tcp://x:1", "pid": 7, "last_seen": None}]
    api.answer = (200, handlers)

    assert run("handlers", "list").output.splitlines() == [
        "ID  STATUS     ADDRESS    PID  LAST_SEEN  RUNNING_JOBS",
        "h1  Connected  tcp://x:1  7",
    ]
    assert json.loads(run("handlers", "list", "--json").output) == handlers


def test_a_refusal_is_one_line(api: Any, run: Callable[..., Result]) -> None:
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
def test_parameters_that_are_no_object_are_refused(params: str, api: Any, run: Callable[..., Result]) -> None:
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
