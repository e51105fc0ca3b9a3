"""``schedule-zero executions``: what has been run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from schedule_zero.cli_support import api_options, json_option, limit_option, show

if TYPE_CHECKING:
    from schedule_zero.api_client import ApiClient

__all__ = ["executions"]

_COLUMNS = ("job_id", "schedule_id", "handler_id", "method", "outcome", "attempts", "ended_at", "error")
_OUTCOMES = ("success", "error", "timeout", "unreachable", "missed", "abandoned", "cancelled")


class _ListByDefault(click.Group):
    """A group that is its ``list`` when no other command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        helped = any(word in ctx.help_option_names for word in args)
        if not helped and (not args or args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def executions() -> None:
    """What has been run, and how it ended. Without a command: `list`."""


@executions.command("list")
@click.option("--handler", "handler_id", help="Only of this handler.")
@click.option("--schedule", "schedule_id", help="Only of this schedule.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only with this outcome.")
@click.option("--since", help="Only what ended at this instant (ISO 8601) or later.")
@click.option("--oldest", is_flag=True, help="The oldest first, not the latest.")
@limit_option(50)
@json_option
@api_options
def list_executions(
    handler_id: str | None,
    schedule_id: str | None,
    outcome: str | None,
    since: str | None,
    oldest: bool,
    limit: int,
    as_json: bool,
    api: ApiClient,
) -> None:
    """Show what was run, the latest first.

    Example: schedule-zero executions list --handler mail-1 --since 2026-11-22T08:00+01:00
    """
    query: dict[str, Any] = {
        "handler_id": handler_id,
        "schedule_id": schedule_id,
        "outcome": outcome,
        "since": since,
        "order": "oldest" if oldest else "newest",
    }
    show(api.collect("/api/executions", "executions", query, limit), as_json, _COLUMNS)


@executions.command()
@json_option
@api_options
def stats(as_json: bool, api: ApiClient) -> None:
    """Count what was run, by handler and outcome.

    Example: schedule-zero executions stats
    """
    answer = api.call("GET", "/api/executions/stats")
    rows = [{"handler_id": handler, **counts} for handler, counts in answer["by_handler"].items()]
    rows.append({"handler_id": "(all)", **answer["by_outcome"]})
    known = [outcome for outcome in _OUTCOMES if outcome in answer["by_outcome"]]
    show(answer if as_json else rows, as_json, ("handler_id", *known))


@executions.command()
@limit_option(50)
@json_option
@api_options
def errors(limit: int, as_json: bool, api: ApiClient) -> None:
    """Show the latest that did not succeed.

    Example: schedule-zero executions errors --limit 5
    """
    show(api.collect("/api/executions/errors", "executions", {}, limit), as_json, _COLUMNS)


@executions.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@api_options
def clear(yes: bool, api: ApiClient) -> None:
    """Drop all finished executions from the log. Needs the scope admin where there are tokens.

    Example: schedule-zero executions clear --yes
    """
    if not yes:
        click.confirm(f"Drop all finished executions of {api.base_url}?", abort=True)
    click.echo(f"{api.call('DELETE', '/api/executions')['removed']} executions dropped")
