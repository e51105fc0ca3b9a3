"""The command line and the options of pytest, as they describe themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from harness import plugin
from harness.cli import main
from harness.reference.tables import table

WIDTH = 100


def commands() -> str:
    """Every command with its own help text."""
    parts = []
    names = main.context_settings.get("help_option_names")
    context = click.Context(main, info_name="harness", help_option_names=names)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command, info_name=name, parent=context, terminal_width=WIDTH, max_content_width=WIDTH
        )
        text = command.get_help(inner).partition("\n\n  Exit codes:")[0]  # they have a page of their own
        parts.append(f"### harness {name}\n\n```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts)


def environment() -> str:
    """The environment variables that stand for options."""
    found: dict[str, str] = {}
    for command in main.commands.values():
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.envvar, str):
                found[option.envvar] = f"`{option.opts[0]}`"
    return table(["variable", "stands for"], [[f"`{name}`", option] for name, option in sorted(found.items())])


def pytest_options() -> str:
    """The options that the plugin gives to pytest."""
    listener = _Options()
    plugin.pytest_addoption(listener)  # type: ignore[arg-type]
    return table(["option", "meaning"], listener.rows())


def markers() -> str:
    """The markers that the plugin makes known."""
    return table(["marker", "meaning"], [[f"`{name}`", about] for name, about in plugin.MARKERS.items()])


class _Options:
    """Stands for pytest's parser, and remembers what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, dict[str, Any]]] = []

    def getgroup(self, *_: str) -> _Options:
        return self

    def addoption(self, name: str, **options: Any) -> None:
        self.given.append((name, options))

    def rows(self) -> Iterator[list[str]]:
        for name, options in self.given:
            word = options.get("metavar") or "|".join(options.get("choices", ())) or "N"
            yield [f"`{name} {word}`", str(options["help"])]
