"""``schedule-zero backup`` and ``schedule-zero restore``: copies of a deployment's SQLite store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedule_zero.cli_support import deployment_options, fail, guarded, json_option
from schedule_zero.exits import ExitCode

if TYPE_CHECKING:
    from schedule_zero.deployment import Deployment
    from schedule_zero.sqlite_backup import Contents

__all__ = ["backup", "restore"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@deployment_options
@guarded
def backup(file: Path, as_json: bool, deployment: str | None, config: Path | None, root: Path) -> None:
    """Copy the deployment's SQLite store into the new FILE, also while its server runs.

    The copy is one moment of the store, checked from end to end; it has its name only when it is whole.

    Example: schedule-zero backup /var/backups/shop-2026-11-22.db --deployment shop
    """
    from schedule_zero.sqlite_backup import copy_store

    _, store = _store(deployment, config, root)
    _tell("backed up to", copy_store(store, file), as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@deployment_options
@guarded
def restore(file: Path, as_json: bool, deployment: str | None, config: Path | None, root: Path) -> None:
    """Put the backup FILE in the place of the deployment's SQLite store.

    Refused (exit code 4) while a server has the store, and for a file that is damaged or no store of
    schedule-zero; 5 while a governor runs. The store that was there is kept beside it, ending in .before-restore.

    Example: schedule-zero restore /var/backups/shop-2026-11-22.db --deployment shop
    """
    from schedule_zero.deployment_lock import DeploymentLock, GovernorAlreadyRunning
    from schedule_zero.sqlite_backup import restore_backup

    loaded, store = _store(deployment, config, root)
    # Held to the end, so that no governor starts a server meanwhile.
    lock = DeploymentLock(loaded.directory / "governor.lock", loaded.name)
    try:
        lock.acquire()
    except GovernorAlreadyRunning as error:
        fail(str(error), ExitCode.ALREADY_RUNNING)
    try:
        _tell("restored", restore_backup(file, store), as_json)
    finally:
        lock.release()


def _store(deployment: str | None, config: Path | None, root: Path) -> tuple[Deployment, Path]:
    from schedule_zero.deployment import load_deployment

    loaded = load_deployment(deployment, config, root=root)
    service = loaded.service
    if service.store != "sqlite" or service.database is None:
        other = "pg_dump makes its backups" if service.store.startswith("postgres") else "it has no backups"
        fail(f"deployment {loaded.name!r} has no SQLite store; {other}", ExitCode.CONFIG)
    return loaded, service.database


def _tell(done: str, contents: Contents, as_json: bool) -> None:
    facts = {
        "path": str(contents.path),
        "version": contents.version,
        "bytes": contents.size,
        "schedules": contents.schedules,
        "jobs": contents.jobs,
        "executions": contents.executions,
    }
    said = ", ".join(f"{facts[name]} {name}" for name in ("schedules", "jobs", "executions", "bytes"))
    click.echo(json.dumps(facts) if as_json else f"{done} {contents.path}: {said}")
