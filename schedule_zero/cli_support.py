"""What all commands of ``schedule-zero`` share: one-line errors, exit codes, output for people or machines."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

import click

from schedule_zero.exits import ExitCode

__all__ = ["api_options", "deployment_options", "fail", "guarded", "json_option", "json_value", "limit_option", "show",
           "table"]

P = ParamSpec("P")


def fail(message: str, code: ExitCode) -> NoReturn:
    """Say what is wrong in one line on standard error, and end with ``code``."""
    click.echo(f"schedule-zero: {' '.join(message.split())}", err=True)
    sys.exit(int(code))


def guarded(command: Callable[P, Any]) -> Callable[P, None]:
    """A command whose expected errors end it with one line and the exit code that belongs to them."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from schedule_zero import errors

        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            fail("interrupted", ExitCode.INTERRUPTED)
        except errors.ConfigError as error:
            fail(str(error), ExitCode.CONFIG)
        except errors.PortTaken as error:
            fail(str(error), ExitCode.PORT_TAKEN)
        except errors.StoreUnusable as error:
            fail(str(error), ExitCode.STORE)
        except errors.ScheduleZeroError as error:
            fail(str(error), _code_of(error))

    return run


def _code_of(error: Exception) -> ExitCode:
    from schedule_zero.api_client import ServerUnreachable
    from schedule_zero.errors import CallTimeout

    return ExitCode.NOT_RUNNING if isinstance(error, ServerUnreachable | CallTimeout) else ExitCode.CRASH


def deployment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which deployment is meant."""
    for option in (
        click.option(
            "--root",
            type=click.Path(path_type=Path),
            default=Path("deployments"),
            show_default=True,
            help="Folder of all deployments.",
        ),
        click.option("--config", type=click.Path(path_type=Path), help="Configuration file of the deployment."),
        click.option(
            "--deployment", help="Name of the deployment [default: $SCHEDULEZERO_DEPLOYMENT or default]."
        ),
    ):
        command = option(command)
    return command


def api_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which server is asked; the command gets ``api`` instead of them."""

    @functools.wraps(command)
    def with_client(
        *args: Any,
        url: str | None,
        token: str | None,
        deployment: str | None,
        config: Path | None,
        root: Path,
        **kwargs: Any,
    ) -> Any:
        from schedule_zero.api_client import ApiClient, chosen_token, chosen_url

        server = (url, deployment, config, root)
        shown = _token(token) if token else chosen_token(*server)
        return command(*args, api=ApiClient(chosen_url(*server), token=shown), **kwargs)

    options = deployment_options(guarded(with_client))
    options = click.option(
        "--token",
        metavar="TOKEN|@FILE",
        help="Token, or the file it is in, which others on this machine cannot read off the process list "
        "[default: $SCHEDULEZERO_TOKEN or the deployment's own].",
    )(options)
    return click.option("--url", help="Server [default: $SCHEDULEZERO_URL or the deployment's].")(options)


def _token(given: str) -> str:
    if not given.startswith("@"):
        return given
    from schedule_zero.errors import ConfigError

    try:
        return Path(given[1:]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token {given}: cannot be read: {error}") from None


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``: print for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def limit_option(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--limit``: how many entries of a list."""
    most = click.IntRange(min=1)
    return click.option("--limit", type=most, default=default, show_default=True, help="At most so many.")


def json_value(text: str | None, option: str) -> dict[str, Any]:
    """The JSON object that an option was given; empty for none. Ends the command when it is something else."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        fail(f"{option}: not JSON: {error}", ExitCode.CONFIG)
    if not isinstance(value, dict):
        fail(f"{option}: expected a JSON object, found {text}", ExitCode.CONFIG)
    return value


def show(data: Any, as_json: bool, columns: Sequence[str]) -> None:
    """Print an answer: as JSON, or a list of objects as a table of these columns."""
    if as_json:
        click.echo(json.dumps(data, indent=2, default=str))
        return
    rows = data if isinstance(data, list) else next((v for v in data.values() if isinstance(v, list)), [data])
    click.echo(table(rows, columns))
    for one in data.get("unreadable", ()) if isinstance(data, dict) else ():
        click.echo(f"schedule-zero: {one['id']} cannot be read, mend or remove it: {one['error']}", err=True)


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Rows under a heading, each column as wide as its widest cell.

    >>> print(table([{"id": "h1", "status": "Connected"}], ["id", "status"]))
    ID  STATUS
    h1  Connected
    """
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: Any) -> str:
    """A value on one line; of a list, how many it has."""
    if value is None:
        return ""
    return str(len(value)) if isinstance(value, list) else str(value)
