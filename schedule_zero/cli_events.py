"""``schedule-zero events``: what happens, as it happens."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import click

from schedule_zero.cli_support import api_options

if TYPE_CHECKING:
    from schedule_zero.api_client import ApiClient
    from schedule_zero.api_events import StreamEvent

__all__ = ["events"]


@click.command()
@click.option("--kind", "kinds", multiple=True, help="Only events of this kind, such as job.finished; repeatable.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many [default: never].")
@click.option("--patience", default=30.0, show_default=True, help="Seconds to wait for a server that went away.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@api_options
def events(kinds: tuple[str, ...], count: int | None, patience: float, as_json: bool, api: ApiClient) -> None:
    """Follow what happens from now on, until Ctrl-C.

    A connection that breaks is resumed where it was; `lost` says how many events were missed all the same.

    Example: schedule-zero events --kind job.finished --json
    """
    from schedule_zero.api_events import follow_events

    told = (one for one in follow_events(api, patience) if one.kind != "hello" and (not kinds or one.kind in kinds))
    for event in itertools.islice(told, count):
        click.echo(json.dumps({"kind": event.kind, **event.data}) if as_json else _line(event))


def _line(event: StreamEvent) -> str:
    """An event for people: when, what, and the fields that it has."""
    rest = {name: value for name, value in event.data.items() if name not in ("kind", "at") and value is not None}
    said = " ".join(f"{name}={value}" for name, value in rest.items())
    return f"{event.data.get('at', '')}  {event.kind:<16}  {said}".strip()
