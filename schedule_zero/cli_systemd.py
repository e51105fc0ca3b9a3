"""``schedule-zero systemd``: the unit that keeps a governor running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schedule_zero.cli_support import deployment_options, guarded

if TYPE_CHECKING:
    from schedule_zero.deployment import Deployment
    from schedule_zero.systemd_unit import UnitOptions

__all__ = ["systemd"]


@click.group()
def systemd() -> None:
    """Run a deployment as a service of systemd."""


def _unit_command(command: Callable[[Deployment, UnitOptions], None]) -> Callable[..., None]:
    """The options that both commands take; the command gets what they mean."""

    def run(
        deployment: str | None,
        config: Path | None,
        root: Path,
        user: bool,
        run_as: str | None,
        stop_timeout: float,
        watchdog: float,
    ) -> None:
        from schedule_zero.deployment import load_deployment
        from schedule_zero.systemd_unit import UnitOptions

        loaded = load_deployment(deployment, config, root=root)
        command(loaded, UnitOptions(user, run_as, stop_timeout, watchdog))

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    wrapped: Callable[..., Any] = deployment_options(guarded(run))
    for option in (
        click.option(
            "--user/--system", default=True, show_default=True, help="Of your own systemd, or of the machine's."
        ),
        click.option("--run-as", metavar="USER", help="Account of a unit of the machine's systemd."),
        click.option("--stop-timeout", default=30.0, show_default=True, help="Seconds that a stop may take."),
        click.option("--watchdog", default=30.0, show_default=True, help="Seconds without a sign of life; 0: never."),
    ):
        wrapped = option(wrapped)
    return wrapped


@systemd.command()
@_unit_command
def show(loaded: Deployment, options: UnitOptions) -> None:
    """Print the unit.

    Example: schedule-zero systemd show --deployment clock
    """
    from schedule_zero.systemd_unit import unit_text

    click.echo(unit_text(loaded, options), nl=False)


@systemd.command()
@_unit_command
def install(loaded: Deployment, options: UnitOptions) -> None:
    """Write the unit where systemd looks for it, and say how to enable it."""
    from schedule_zero.systemd_unit import install_unit

    path = install_unit(loaded, options)
    control = "systemctl --user" if options.user else "systemctl"
    click.echo(f"wrote {path}\nnow: {control} daemon-reload && {control} enable --now {path.name}")
