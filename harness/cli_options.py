"""Options that several commands share, with what their values mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.report.manifest import Setting
    from harness.scenario.model import World
    from harness.scenario.vocabulary import Vocabulary

BOTH = "both"
"""Stands for every world that a file names and its driver knows."""
MOST_SEEDS = 100_000
"""Runs of one scenario that one command plans: weeks of them, and still at once."""

paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value, e.g. cycles.count=200."
)
world_option = click.option(
    "--world",
    type=click.Choice(["real", "sim", BOTH]),
    envvar="HARNESS_WORLD",
    help="Where to run; default: the file's first. `both`: in each that the file names, then compare.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), envvar="HARNESS_SEED", help="Run with this seed instead of the file's."
)


def words() -> Vocabulary:
    """Every word that a scenario may use in this installation."""
    from harness import vocabulary

    return vocabulary.build()


def world_of(name: str | None) -> World | None:
    """The world of this name; None when no single one is chosen."""
    from harness.scenario.model import World

    return None if name in (None, BOTH) else World(name)


def seeds_of(seed: int | None, seeds: str | None) -> list[int] | None:
    """The seeds that ``--seed`` or ``--seeds A..B`` ask for; None for those of the file. Raises `UsageError`."""
    if seeds is None:
        return None if seed is None else [seed]
    low, dots, high = seeds.partition("..")
    if seed is not None:
        raise UsageError("--seed and --seeds exclude each other")
    if not (low.isdigit() and (high.isdigit() or not dots)):
        raise UsageError(f"--seeds: expected a range such as 1..20, found {seeds!r}")
    numbers = range(int(low), int(high or low) + 1)
    if not numbers:
        raise UsageError(f"--seeds: the range {seeds!r} ends before it begins")
    if len(numbers) > MOST_SEEDS:
        raise UsageError(f"--seeds: {len(numbers)} seeds are too many for one command; {MOST_SEEDS} at most")
    return list(numbers)


def settings_of(overrides: tuple[str, ...]) -> dict[str, Setting]:
    """The settings in force that are not the file's own, with who set them; the command line has the last word."""
    from harness.report.manifest import Setting

    found = {}
    context = click.get_current_context()
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT") and name not in ("paths", "overrides"):
            shown = str(value) if isinstance(value, Path) else value
            found[name] = Setting(value=shown, source="command line" if source.name == "COMMANDLINE" else "environment")
    for override in overrides:
        key, _, value = override.partition("=")
        found[key] = Setting(value=value, source="command line")
    return found
