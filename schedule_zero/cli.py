"""The ``schedule-zero`` command.

Commands import what they need when they run: ``--help`` has to be quick.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from schedule_zero import __version__
from schedule_zero.cli_governor import governor
from schedule_zero.cli_security import keys, tokens
from schedule_zero.cli_support import api_options, fail, guarded, json_option, show
from schedule_zero.cli_systemd import systemd
from schedule_zero.exits import ExitCode

if TYPE_CHECKING:
    from schedule_zero.api_client import ApiClient

__all__ = ["main", "server_main"]

_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.group()
@click.version_option(__version__, prog_name="schedule-zero")
def main() -> None:
    """A lightweight distributed scheduler."""


main.add_command(governor)
main.add_command(keys)
main.add_command(tokens)
main.add_command(systemd)


@main.command(context_settings=_PASS_ON)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@guarded
def server(args: tuple[str, ...]) -> None:
    """Run a server in the foreground (see: schedule-zero server --help)."""
    from schedule_zero import server as module

    raise SystemExit(int(module.main(list(args))))


@main.command(context_settings=_PASS_ON)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@guarded
def handler(args: tuple[str, ...]) -> None:
    """Run a handler in the foreground (see: schedule-zero handler --help)."""
    from schedule_zero import handler as module

    raise SystemExit(int(module.main(list(args))))


@main.group()
def handlers() -> None:
    """The handlers that a server knows."""


@handlers.command("list")
@json_option
@api_options
def list_handlers(as_json: bool, api: ApiClient) -> None:
    """Show every handler with its address and state."""
    answer = api.call("GET", "/api/handlers")
    show(answer, as_json, ("id", "status", "address", "pid", "last_seen", "running_jobs"))


@main.group()
def jobs() -> None:
    """Run a handler's method."""


@jobs.command("run")
@click.argument("handler_id")
@click.argument("method")
@click.option("--params", default="{}", help='Parameters as a JSON object, for example \'{"to": "me"}\'.')
@api_options
def run_job(handler_id: str, method: str, params: str, api: ApiClient) -> None:
    """Run METHOD of HANDLER_ID now, and print the job.

    Example: schedule-zero jobs run mail-1 send --params '{"to": "me@example.org"}'
    """
    body = {"handler_id": handler_id, "job_method": method, "job_params": _object(params, "--params")}
    click.echo(json.dumps(api.call("POST", "/api/run_now", body)))


@jobs.command("show")
@click.argument("job_id")
@api_options
def show_job(job_id: str, api: ApiClient) -> None:
    """Print the state, outcome and result of a job."""
    from schedule_zero.api_client import path_of

    click.echo(json.dumps(api.call("GET", path_of("jobs", job_id)), indent=2))


@main.command()
@click.option("--handler", "handler_id", help="Only of this handler.")
@click.option("--schedule", "schedule_id", help="Only of this schedule.")
@click.option("--outcome", help="Only with this outcome, for example error.")
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@json_option
@api_options
def executions(
    handler_id: str | None,
    schedule_id: str | None,
    outcome: str | None,
    limit: int,
    as_json: bool,
    api: ApiClient,
) -> None:
    """Show what was run, the latest first."""
    query = {
        "handler_id": handler_id,
        "schedule_id": schedule_id,
        "outcome": outcome,
        "limit": limit,
        "order": "newest",
    }
    answer = api.call("GET", "/api/executions", query=query)
    show(answer, as_json, ("job_id", "handler_id", "method", "outcome", "attempts", "ended_at", "error"))


@main.group()
def schedules() -> None:
    """What is to be run, and when."""


@schedules.command("list")
@json_option
@api_options
def list_schedules(as_json: bool, api: ApiClient) -> None:
    """Show every schedule with its next fire time."""
    answer = api.call("GET", "/api/schedules")
    show(answer, as_json, ("id", "handler_id", "job_method", "trigger", "next_fire_time", "paused"))


@schedules.command("add")
@click.argument("handler_id")
@click.argument("method")
@click.option("--id", "schedule_id", help="Id of the schedule [default: made up].")
@click.option("--trigger", required=True, help='JSON, for example \'{"type": "interval", "minutes": 5}\'.')
@click.option("--params", default="{}", help="Parameters as a JSON object.")
@api_options
def add_schedule(
    handler_id: str, method: str, schedule_id: str | None, trigger: str, params: str, api: ApiClient
) -> None:
    """Run METHOD of HANDLER_ID whenever the trigger fires.

    Example: schedule-zero schedules add clock tick --trigger '{"type": "cron", "minute": "*/5"}'
    """
    body = {
        "handler_id": handler_id,
        "job_method": method,
        "job_params": _object(params, "--params"),
        "trigger": _object(trigger, "--trigger"),
        **({"job_id": schedule_id} if schedule_id else {}),
    }
    click.echo(json.dumps(api.call("POST", "/api/schedule", body)))


@schedules.command("remove")
@click.argument("schedule_id")
@api_options
def remove_schedule(schedule_id: str, api: ApiClient) -> None:
    """Remove a schedule; jobs that it has made already still run."""
    from schedule_zero.api_client import path_of

    api.call("DELETE", path_of("schedules", schedule_id))


@schedules.command("pause")
@click.argument("schedule_id")
@api_options
def pause_schedule(schedule_id: str, api: ApiClient) -> None:
    """Keep a schedule from firing until it is resumed."""
    _set_paused(api, schedule_id, True)


@schedules.command("resume")
@click.argument("schedule_id")
@api_options
def resume_schedule(schedule_id: str, api: ApiClient) -> None:
    """Let a paused schedule fire again."""
    _set_paused(api, schedule_id, False)


def _set_paused(api: ApiClient, schedule_id: str, paused: bool) -> None:
    from schedule_zero.api_client import path_of

    api.call("PATCH", path_of("schedules", schedule_id), {"paused": paused})


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        fail(f"{option}: not JSON: {error}", ExitCode.CONFIG)
    if not isinstance(value, dict):
        fail(f"{option}: expected a JSON object, found {text}", ExitCode.CONFIG)
    return value


def server_main() -> None:
    """The ``schedule-zero-server`` command: ``schedule-zero server`` with the same arguments."""
    main(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
