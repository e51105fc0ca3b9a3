"""``schedule-zero schedules``: what is to be run, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from schedule_zero.cli_support import api_options, fail, json_option, json_value, limit_option, show
from schedule_zero.exits import ExitCode

if TYPE_CHECKING:
    from schedule_zero.api_client import ApiClient

__all__ = ["schedules"]

_COLUMNS = ("id", "handler_id", "job_method", "trigger", "next_fire_time", "paused")


@click.group()
def schedules() -> None:
    """What is to be run, and when."""


def _trigger_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say when; the command gets ``trigger`` instead of them."""
    for option in (
        click.option("--trigger", help='Any trigger as JSON, for example \'{"type": "interval", "minutes": 5}\'.'),
        click.option("--timezone", help="Time zone of --cron, such as Europe/Berlin [default: UTC]."),
        click.option("--cron", help="When the clock matches: minute, hour, day, month, day of week."),
        click.option("--every", help="Every so often, such as 90s, 5min or 1d."),
        click.option("--at", help="Once, at this instant (ISO 8601; UTC unless it has an offset)."),
    ):
        command = option(command)
    return command


def _trigger(at: str | None, every: str | None, cron: str | None, timezone: str | None, trigger: str | None) -> Any:
    given = [value for value in (at, every, cron, trigger) if value is not None]
    if len(given) != 1:
        fail(f"expected one of --at, --every, --cron and --trigger, found {len(given)}", ExitCode.CONFIG)
    if timezone and not cron:
        fail("--timezone is for --cron: give --at an offset", ExitCode.CONFIG)
    if at:
        return {"type": "date", "run_date": at}
    if cron:
        return {"type": "cron", "crontab": cron, **({"timezone": timezone} if timezone else {})}
    return _interval(every) if every else json_value(trigger, "--trigger")


def _interval(every: str) -> dict[str, Any]:
    from schedule_zero.config_source import parse_seconds

    seconds = parse_seconds(every)
    if not seconds:
        fail(f"--every: expected a length of time such as 90s, 5min or 1d, found {every!r}", ExitCode.CONFIG)
    return {"type": "interval", "seconds": seconds}


@schedules.command("list")
@click.option("--handler", "handler_id", help="Only those of this handler.")
@limit_option(1000)
@json_option
@api_options
def list_schedules(handler_id: str | None, limit: int, as_json: bool, api: ApiClient) -> None:
    """Show every schedule with its next fire time.

    Example: schedule-zero schedules list --handler clock
    """
    show(api.collect("/api/schedules", "schedules", {"handler_id": handler_id}, limit), as_json, _COLUMNS)


@schedules.command("show")
@click.argument("schedule_id")
@api_options
def show_schedule(schedule_id: str, api: ApiClient) -> None:
    """Print all that is known of a schedule, as JSON.

    Example: schedule-zero schedules show tick
    """
    from schedule_zero.api_client import path_of

    click.echo(json.dumps(api.call("GET", path_of("schedules", schedule_id)), indent=2))


@schedules.command("add")
@click.argument("handler_id")
@click.argument("method")
@click.option("--id", "job_id", help="Id of the schedule [default: made up].")
@_trigger_options
@click.option("--params", help="Parameters as a JSON object.")
@click.option("--misfire-grace", "misfire_grace_time", type=float, help="Seconds after which a late run is missed.")
@click.option("--coalesce", type=click.Choice(["latest", "earliest", "all"]), help="Which of several overdue runs.")
@click.option("--max-running", "max_running_jobs", type=int, help="Jobs of this schedule that run at once.")
@click.option("--max-jitter", type=float, help="Seconds by which each run may be later, at random.")
@click.option("--paused", is_flag=True, default=None, help="Begin paused.")
@click.option(
    "--on-conflict",
    "conflict_policy",
    type=click.Choice(["exception", "do_nothing", "replace"]),
    help="What to do when the id is taken [default: exception].",
)
@click.option("--timeout", type=float, help="Seconds for one attempt [default: the deployment's].")
@click.option("--deadline", type=float, help="Seconds for all attempts at a job together [default: none].")
@click.option("--at-most-once", is_flag=True, default=None, help="Never try again: better lost than twice.")
@click.option("--key", "idempotency_key", help="Idempotency key: a repeated request adds one schedule.")
@api_options
def add_schedule(
    handler_id: str,
    method: str,
    at: str | None,
    every: str | None,
    cron: str | None,
    timezone: str | None,
    trigger: str | None,
    params: str | None,
    api: ApiClient,
    **chosen: Any,
) -> None:
    """Run METHOD of HANDLER_ID whenever the trigger fires, and print the schedule's id.

    Example: schedule-zero schedules add clock tick --id tick --cron '*/5 * * * *' --timezone Europe/Berlin
    """
    body = {
        "handler_id": handler_id,
        "job_method": method,
        "job_params": json_value(params, "--params"),
        "trigger": _trigger(at, every, cron, timezone, trigger),
        **{name: value for name, value in chosen.items() if value is not None},
    }
    click.echo(json.dumps(api.call("POST", "/api/schedule", body)))


@schedules.command("reschedule")
@click.argument("schedule_id")
@_trigger_options
@api_options
def reschedule(
    schedule_id: str,
    at: str | None,
    every: str | None,
    cron: str | None,
    timezone: str | None,
    trigger: str | None,
    api: ApiClient,
) -> None:
    """Give a schedule another trigger.

    Example: schedule-zero schedules reschedule tick --every 10s
    """
    _change(api, schedule_id, {"trigger": _trigger(at, every, cron, timezone, trigger)})


@schedules.command("remove")
@click.argument("schedule_id")
@api_options
def remove_schedule(schedule_id: str, api: ApiClient) -> None:
    """Remove a schedule; jobs that it has made already still run.

    Example: schedule-zero schedules remove tick
    """
    from schedule_zero.api_client import path_of

    api.call("DELETE", path_of("schedules", schedule_id))


@schedules.command("pause")
@click.argument("schedule_id")
@api_options
def pause_schedule(schedule_id: str, api: ApiClient) -> None:
    """Keep a schedule from firing until it is resumed.

    Example: schedule-zero schedules pause tick
    """
    _change(api, schedule_id, {"paused": True})


@schedules.command("resume")
@click.argument("schedule_id")
@api_options
def resume_schedule(schedule_id: str, api: ApiClient) -> None:
    """Let a paused schedule fire again.

    Example: schedule-zero schedules resume tick
    """
    _change(api, schedule_id, {"paused": False})


def _change(api: ApiClient, schedule_id: str, change: dict[str, Any]) -> None:
    from schedule_zero.api_client import path_of

    api.call("PATCH", path_of("schedules", schedule_id), change)
