"""YAML text composed into nodes, every mistake with its place.

Whatever a file holds (bytes that no text has, brackets without end, an alias of itself), the answer is a
:class:`~schedule_zero.errors.ConfigError` with line and column, after a moment.

>>> compose("a: [1, 2", "shop.yaml")
Traceback (most recent call last):
schedule_zero.errors.ConfigError: shop.yaml:1:9: not valid YAML: expected ',' or ']', but got '<stream end>'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from schedule_zero.errors import ConfigError

__all__ = ["MAX_DEPTH", "compose", "read_text"]

MAX_DEPTH: Final = 64
"""How deep mappings and lists may be nested. Composing takes several of Python's frames a level, which end."""


def read_text(path: Path) -> str:
    """The text of a file. Raises ConfigError when it cannot be read or is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path)) from error
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line, column = _place(content[: error.start].decode("utf-8"))
        problem = f"cannot be read: not UTF-8, the byte 0x{content[error.start]:02x}"
        raise ConfigError(problem, file=str(path), line=line, column=column) from error


def compose(text: str, file: str) -> Node | None:
    """The one document in a text, None if that is empty; ``file`` is the name told in errors. Raises ConfigError."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Composer = _Bounded
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _error(file, line, column, error.problem or error.context or "not YAML") from error
    except ReaderError as error:
        # The one that has no mark: a character that YAML does not allow, at a place in the text.
        line, column = _place(text[: error.position])
        raise _error(file, line, column, f"the character U+{error.character:04X} is not allowed here") from error
    except (YAMLError, ValueError) as error:
        raise _error(file, 1, 1, str(error).partition("\n")[0]) from error
    return node


class _Bounded(Composer):
    """Composes no deeper than `MAX_DEPTH`, and no node within itself."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node with all that is in it."""
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            self._refuse_within_itself(parent, event)
        elif self._depth >= MAX_DEPTH:
            raise MarkedYAMLError(None, None, f"nested more than {MAX_DEPTH} deep", event.start_mark)
        self._depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        return node

    def _refuse_within_itself(self, parent: Any, event: AliasEvent) -> None:
        # A node gets its end when all in it is composed.
        known = self.anchors.get(event.anchor)
        if known is not None and known.end_mark is None:
            raise MarkedYAMLError(None, None, f"*{event.anchor} stands within what it names", event.start_mark)


def _place(before: str) -> tuple[int, int]:
    """Line and column of what comes after a text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _error(file: str, line: int, column: int, problem: str) -> ConfigError:
    return ConfigError(f"not valid YAML: {problem}", file=file, line=line, column=column)
