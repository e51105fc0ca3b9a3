"""The ``schedule-zero`` command.

Commands import what they need when they run: ``--help`` has to be quick.
"""

from __future__ import annotations

import sys

import click

from schedule_zero import __version__
from schedule_zero.cli_backup import backup, restore
from schedule_zero.cli_events import events
from schedule_zero.cli_executions import executions
from schedule_zero.cli_governor import governor
from schedule_zero.cli_jobs import handlers, jobs
from schedule_zero.cli_schedules import schedules
from schedule_zero.cli_security import keys, tokens
from schedule_zero.cli_support import guarded
from schedule_zero.cli_systemd import systemd

__all__ = ["main", "server_main"]

_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.group()
@click.version_option(__version__, prog_name="schedule-zero")
def main() -> None:
    """A lightweight distributed scheduler.

    Commands that ask a server find the deployment's own by what it has left in the deployment's folder. Exit
    codes: 0 done, 1 refused, 2 a wrong option or configuration, 3 a port is taken, 4 the store cannot be used,
    5 another governor has the deployment, 6 nobody there to ask, 7 the job failed, 8 still waiting,
    130 interrupted.
    """


for _command in (governor, schedules, jobs, handlers, executions, events, backup, restore, keys, tokens, systemd):
    main.add_command(_command)


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


def server_main() -> None:
    """The ``schedule-zero-server`` command: ``schedule-zero server`` with the same arguments."""
    main(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
