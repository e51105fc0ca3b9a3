"""The scheduler's command line, exit codes, metrics as they describe themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import click

from harness.reference.docstrings import attributes
from harness.reference.tables import table
from harness.targets.schedule_zero.scheduler_surface import ExitCode, command, metrics, parsers

__all__ = ["commands", "exit_codes", "metric_table"]

WIDTH = 100


def commands() -> str:
    """Every command of ``schedule-zero`` with its own help text."""
    return "\n\n".join(_described(command(), None, "schedule-zero"))


def exit_codes() -> str:
    """What each exit code says."""
    meanings = attributes(ExitCode)
    return table(["code", "meaning"], [[str(int(code)), _one_line(meanings[code.name])] for code in ExitCode])


def metric_table() -> str:
    """Every metric in one line."""
    rows = [[f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels) or "–", one.about]
            for one in metrics()]  # fmt: skip
    return table(["metric", "kind", "labels", "meaning"], rows)


def _described(about: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(about, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    parser = parsers().get(name) if parent is not None and parent.parent is None else None
    if parser is not None:
        yield f"### schedule-zero {name}\n\n{parser.description}\n\n{_options(parser)}"
    elif isinstance(about, click.Group):
        for inner in about.list_commands(context):
            found = about.get_command(context, inner)
            assert found is not None
            yield from _described(found, context, inner)
    else:
        yield f"### {context.command_path}\n\n```text\n{about.get_help(context).rstrip()}\n```"


def _options(parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in parser._actions:
        if action.dest == "help":
            continue
        word = action.metavar or "|".join(action.choices or ()) or action.dest.upper()
        names = ", ".join(action.option_strings)
        rows.append([f"`{names}`" if action.nargs == 0 else f"`{names} {word}`", _meaning(action)])
    return table(["option", "meaning"], rows)


def _meaning(action: argparse.Action) -> str:
    said = (action.help or "") % {"default": action.default}
    return f"{said}; required" if action.required else said


def _one_line(text: str) -> str:
    return " ".join(text.split())
