"""``schedule-zero governor``: run a governor, or talk to the one that runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schedule_zero.cli_support import deployment_options, fail, guarded, json_option, show
from schedule_zero.exits import ExitCode

if TYPE_CHECKING:
    from schedule_zero.deployment import Deployment
    from schedule_zero.governor_runtime import GovernorRuntime

__all__ = ["governor"]

_LOOK = 0.1  # seconds between two looks at what is not ready yet
_COLUMNS = ("name", "status", "ready", "pid", "restart_count", "uptime", "address", "last_error")


@click.group()
def governor() -> None:
    """Keep a deployment's server and handlers running."""


def _located(command: Callable[..., Any]) -> Callable[..., Any]:
    return deployment_options(guarded(command))


@governor.command()
@click.option(
    "--runtime-file", type=click.Path(path_type=Path), help="Write pid and addresses here when all is up."
)
@click.option("--stop-timeout", default=30.0, show_default=True, help="Seconds that a stop may take.")
@click.option("--lifeline-fd", type=int, help="Inherited pipe; everything stops when its other end closes.")
@click.option(
    "--kind", type=click.Choice(["process", "thread"]), help="What services run in [default: the deployment's]."
)
@_located
def start(
    runtime_file: Path | None,
    stop_timeout: float,
    lifeline_fd: int | None,
    kind: str | None,
    deployment: str | None,
    config: Path | None,
    root: Path,
) -> None:
    """Start everything and stay in the foreground until SIGTERM, SIGINT or `governor stop`.

    Example: schedule-zero governor start --deployment clock --config clock.yaml
    """
    from schedule_zero.early_signals import ended_at_once

    with ended_at_once():
        raise SystemExit(_start(_load(deployment, config, root), kind, runtime_file, stop_timeout, lifeline_fd))


def _start(
    loaded: Deployment, kind: str | None, runtime_file: Path | None, stop_timeout: float, lifeline_fd: int | None
) -> int:
    from schedule_zero.governor_base import GovernorKind
    from schedule_zero.governor_run import govern
    from schedule_zero.logs import configure_logging
    from schedule_zero.startable import require_startable

    require_startable(loaded, runtime_file)
    settings, log = loaded.service.log, loaded.logs_dir / "governor.log"
    configure_logging(settings, deployment=loaded.name, process="governor")
    code = govern(
        dataclasses.replace(loaded, kind=GovernorKind(kind)) if kind else loaded,
        runtime_file=runtime_file,
        stop_timeout=stop_timeout,
        lifeline_fd=lifeline_fd,
        # Not before: that another governor is refused is nothing that the running one did.
        on_claimed=lambda: configure_logging(settings, copy_to=log, deployment=loaded.name, process="governor"),
        when_stuck=_leave,
    )
    return int(code)


def _leave(code: int) -> None:
    """End now: at its usual end the interpreter would wait for the sockets of threads that hang."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@governor.command()
@click.option("--timeout", default=35.0, show_default=True, help="Seconds to wait until it has ended.")
@json_option
@_located
def stop(timeout: float, as_json: bool, deployment: str | None, config: Path | None, root: Path) -> None:
    """Stop the governor with all that it governs. One that does not run is no error."""
    from schedule_zero.governor_client import stop_governor

    loaded = _load(deployment, config, root)
    stopped = stop_governor(loaded, timeout)
    said = f"deployment {loaded.name} {'is stopped' if stopped else 'has no running governor'}"
    _tell({"deployment": loaded.name, "stopped": stopped}, said, as_json)


@governor.command()
@click.argument("handler_id", required=False)
@json_option
@_located
def restart(
    handler_id: str | None, as_json: bool, deployment: str | None, config: Path | None, root: Path
) -> None:
    """Restart one handler, or without a name server and handlers."""
    order, params = ("restart_handler", {"handler_id": handler_id}) if handler_id else ("restart", {})
    ready = _order(_running(_load(deployment, config, root)), order, params)
    _expect(ready, handler_id or "everything", as_json)


@governor.command("add")
@click.argument("handler_id")
@json_option
@_located
def add_handler(handler_id: str, as_json: bool, deployment: str | None, config: Path | None, root: Path) -> None:
    """Run a handler that was added to the configuration file."""
    loaded = _load(deployment, config, root)
    _expect(_order(_running(loaded), "add_handler", {"handler_id": handler_id}), handler_id, as_json)


@governor.command("remove")
@click.argument("handler_id")
@_located
def remove_handler(handler_id: str, deployment: str | None, config: Path | None, root: Path) -> None:
    """Stop a handler and govern it no longer."""
    running = _running(_load(deployment, config, root))
    if not _order(running, "remove_handler", {"handler_id": handler_id}):
        known = ", ".join(name for name in _order(running, "status") if name != "server")
        fail(f"unknown handler {handler_id!r}; there are: {known or 'none'}", ExitCode.CRASH)


@governor.command()
@click.option("--wait", default=0.0, metavar="SECONDS", help="Wait so long at most until everything is ready.")
@json_option
@_located
def status(wait: float, as_json: bool, deployment: str | None, config: Path | None, root: Path) -> None:
    """Show what runs; exit code 6 when no governor does, and 8 when --wait was in vain.

    Example: schedule-zero governor status --wait 30
    """
    loaded = _load(deployment, config, root)
    ready = _until_ready(loaded, wait) if wait else True
    services = _order(_running(loaded), "status")
    show(services if as_json else [_row(info) for info in services.values()], as_json, _COLUMNS)
    if not ready:
        fail(f"not everything is ready after {wait:g} s", ExitCode.STILL_WAITING)


def _until_ready(loaded: Deployment, timeout: float) -> bool:
    """Whether a governor runs, and all that it governs is ready, before so many seconds are over."""
    from schedule_zero.errors import ScheduleZeroError
    from schedule_zero.governor_client import find_governor

    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(ScheduleZeroError):  # it has just begun, or is at its end
            running = find_governor(loaded)
            if running is not None and all(info["ready"] for info in _order(running, "status").values()):
                return True
        time.sleep(_LOOK)
    return False


@governor.command()
@click.argument("service", required=False)
@click.option("--handler", "handler_id", metavar="ID", help="Of this handler, the same as SERVICE.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@json_option
@_located
def logs(
    service: str | None,
    handler_id: str | None,
    lines: int,
    follow: bool,
    as_json: bool,
    deployment: str | None,
    config: Path | None,
    root: Path,
) -> None:
    """Show the last lines that a service wrote: governor (when none is named), server, or a handler's id."""
    from schedule_zero.log_tail import end_of, last_lines

    if service and handler_id:
        fail("name a SERVICE or a --handler, not both", ExitCode.CONFIG)
    path = _log_of(_load(deployment, config, root), handler_id or service or "governor")
    end = end_of(path)
    found = last_lines(path, lines, end)
    if as_json and not follow:
        click.echo(json.dumps({"service": path.stem, "lines": found}, indent=2))
        return
    for line in found:
        click.echo(line)
    if follow:
        _follow(path, end)


def _log_of(loaded: Deployment, service: str) -> Path:
    known = sorted(path.stem for path in loaded.logs_dir.glob("*.log"))
    if service not in known:
        there = ", ".join(known) or "none"
        fail(f"no log of {service!r} in {loaded.logs_dir}; there are: {there}", ExitCode.CONFIG)
    return loaded.logs_dir / f"{service}.log"


def _follow(path: Path, position: int) -> None:
    from schedule_zero.log_tail import follow

    with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
        for line in follow(path, position):
            click.echo(line)


def _load(deployment: str | None, config: Path | None, root: Path) -> Deployment:
    from schedule_zero.deployment import load_deployment

    return load_deployment(deployment, config, root=root)


def _running(loaded: Deployment) -> GovernorRuntime:
    from schedule_zero.governor_client import find_governor

    running = find_governor(loaded)
    if running is None:
        fail(f"deployment {loaded.name!r} has no running governor", ExitCode.NOT_RUNNING)
    return running


def _order(running: GovernorRuntime, method: str, params: dict[str, Any] | None = None) -> Any:
    from schedule_zero.governor_client import order

    return order(running, method, params)


def _expect(ready: bool, what: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"service": what, "ready": ready}))
    if not ready:
        fail(f"{what}: not ready; see `schedule-zero governor status`", ExitCode.CRASH)
    if not as_json:
        click.echo(f"{what}: ready")


def _tell(data: dict[str, Any], said: str, as_json: bool) -> None:
    click.echo(json.dumps(data) if as_json else said)


def _row(info: dict[str, Any]) -> dict[str, Any]:
    return {**info, "uptime": f"{info['uptime']:.1f} s"}
