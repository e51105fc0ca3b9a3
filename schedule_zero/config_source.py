"""YAML read with positions, so that every mistake can be answered with file, line and column.

The document is only composed, not constructed: each value keeps the place where it was written, no Python
object is ever made from a tag, duplicate keys are refused, and YAML 1.2 rules hold (``on`` is a text, not
``true``).

>>> root = Section.parse("http: {port: 80a}", "shop.yaml")
>>> root.section("http").integer("port", 0)
Traceback (most recent call last):
schedule_zero.errors.ConfigError: shop.yaml:1:14: http.port: expected a whole number, found '80a'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schedule_zero.errors import ConfigError
from schedule_zero.yaml_text import compose, read_text

__all__ = ["Section", "parse_seconds"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
#: A century, in seconds. Of much more, Python makes neither a `timedelta` nor a time to wait.
_LONGEST = 36_525 * 86400.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?")
_UNUSABLE = re.compile("[\\0\\ud800-\\udfff]")
_TAG = "tag:yaml.org,2002:"


def parse_seconds(text: str) -> float | None:
    """Seconds from ``250ms``, ``2s``, ``5min``, ``1h``, ``1d`` or a bare number, a century at most; None otherwise.

    >>> parse_seconds("250ms"), parse_seconds("5min"), parse_seconds("3"), parse_seconds("soon")
    (0.25, 300.0, 3.0, None)
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else _LONGEST + 1
    return seconds if seconds <= _LONGEST else None


class Section:
    """One mapping of a YAML document, read key by key; :meth:`finish` refuses what nobody asked for."""

    def __init__(
        self, entries: dict[str, tuple[ScalarNode, Node]], file: str, path: str, node: Node | None
    ) -> None:
        self._entries = entries
        self._file = file
        self._path = path
        self._node = node
        self._known: list[str] = []

    @classmethod
    def load(cls, path: Path) -> Section:
        """The document in a file. Raises ConfigError when it cannot be read or is not a YAML mapping."""
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, file: str = "<text>") -> Section:
        """The document in a text; ``file`` is the name told in errors."""
        node = compose(text, file)
        return cls.empty(file) if node is None else cls._of(node, file, "")

    @classmethod
    def empty(cls, file: str = "<defaults>") -> Section:
        """A document that says nothing, so that every default holds."""
        return cls({}, file, "", None)

    @classmethod
    def _of(cls, node: Node, file: str, path: str) -> Section:
        if _is_null(node):
            return cls({}, file, path, node)
        if not isinstance(node, MappingNode):
            raise _error_at(node, file, path, "expected a mapping of keys to values", _shown(node))
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or _kind(key) != "str":
                raise _error_at(key, file, path, "expected a text as key", _shown(key))
            if key.value in entries:
                first = entries[key.value][0].start_mark.line + 1
                raise _error_at(
                    key,
                    file,
                    _join(path, key.value),
                    f"expected each key once (first in line {first})",
                    "a second one",
                )
            entries[key.value] = (key, value)
        return cls(entries, file, path, node)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def text(self, key: str, default: str | None = None, *, required: bool = False) -> str | None:
        """A text; numbers count as what was written."""
        node = self._take(key, required)
        if node is None:
            return default
        if not isinstance(node, ScalarNode):
            raise self.wrong(key, "a text")
        # No file, host or module can be called so, and asking for it fails in a way that nobody expects.
        if _UNUSABLE.search(node.value):
            raise self.wrong(key, "a text without NUL and halves of surrogate pairs")
        return str(node.value)

    def integer(self, key: str, default: int, *, low: int = 0, high: int | None = None) -> int:
        """A whole number from ``low`` to ``high``."""
        node = self._take(key)
        if node is None:
            return default
        if (
            not isinstance(node, ScalarNode)
            or _kind(node) != "int"
            or not re.fullmatch(r"[-+]?\d{1,300}", node.value)  # of thousands, Python makes no number
        ):
            raise self.wrong(key, "a whole number")
        value = int(node.value)
        if value < low or (high is not None and value > high):
            raise self.wrong(
                key, f"a whole number from {low} to {high}" if high is not None else f"{low} or more"
            )
        return value

    def number(self, key: str, default: float, *, low: float = 0.0) -> float:
        """A number that is ``low`` or more."""
        node = self._take(key)
        if node is None:
            return default
        if not isinstance(node, ScalarNode) or _kind(node) not in ("int", "float"):
            raise self.wrong(key, "a number")
        try:
            value = float(node.value)
        except ValueError:
            raise self.wrong(key, "a number") from None
        if not low <= value < float("inf"):
            raise self.wrong(key, f"a number, {low:g} or more")
        return value

    def seconds(self, key: str, default: float) -> float:
        """A length of time in seconds: ``250ms``, ``2s``, ``5min``, or a bare number of seconds."""
        node = self._take(key)
        if node is None:
            return default
        value = parse_seconds(node.value) if isinstance(node, ScalarNode) else None
        if value is None:
            raise self.wrong(key, "a length of time such as 250ms, 2s, 5min")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        node = self._take(key)
        if node is None:
            return default
        if not isinstance(node, ScalarNode) or _kind(node) != "bool":
            raise self.wrong(key, "true or false")
        return str(node.value).lower() == "true"

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of ``allowed``, in any case."""
        value = self.text(key, default) or default
        for one in allowed:
            if one.lower() == value.lower():
                return one
        raise self.wrong(key, f"one of {', '.join(allowed)}")

    def texts(self, key: str) -> list[str]:
        """A list of texts; an absent one is empty."""
        node = self._take(key)
        if node is None:
            return []
        items = node.value if isinstance(node, SequenceNode) else [None]
        texts = [str(item.value) for item in items if isinstance(item, ScalarNode) and not _is_null(item)]
        if len(texts) < len(items):
            raise self.wrong(key, "a list of texts")
        return texts

    def section(self, key: str) -> Section:
        """A mapping below this one; an absent one is empty."""
        node = self._take(key)
        path = _join(self._path, key)
        return Section({}, self._file, path, None) if node is None else Section._of(node, self._file, path)

    def sections(self, key: str) -> list[Section]:
        """A list of mappings; an absent one is empty."""
        node = self._take(key)
        if node is None:
            return []
        if not isinstance(node, SequenceNode):
            raise self.wrong(key, "a list")
        path = _join(self._path, key)
        return [Section._of(item, self._file, f"{path}[{n}]") for n, item in enumerate(node.value)]

    def data(self, key: str) -> dict[str, Any]:
        """A mapping of plain values (texts, numbers, truth values, lists, mappings), passed on as it is."""
        section = self.section(key)
        return {name: _plain(section, name, node) for name, (_, node) in section._entries.items()}

    def finish(self) -> None:
        """Raise ConfigError when the document has a key that was never asked for."""
        for key, (node, _) in self._entries.items():
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(self._known))}"
                raise _error_at(node, self._file, _join(self._path, key), "unknown key", None, hint)

    def wrong(self, key: str, expected: str) -> ConfigError:
        """The error that says what was expected at ``key``, and what stands there."""
        entry = self._entries.get(key)
        node = entry[1] if entry else self._node
        found = _shown(entry[1]) if entry else "nothing"
        return _error_at(node, self._file, _join(self._path, key), f"expected {expected}", found)

    def refused(self, key: str, problem: str) -> ConfigError:
        """The error that says what is wrong at ``key`` in other words, without what stands there."""
        entry = self._entries.get(key)
        return _error_at(entry[1] if entry else self._node, self._file, _join(self._path, key), problem, None)

    def place(self, key: str) -> tuple[str, int, int] | None:
        """File, line and column of the value at ``key``; None when there is none."""
        entry = self._entries.get(key)
        if entry is None or _is_null(entry[1]):
            return None
        mark = entry[1].start_mark
        return self._file, mark.line + 1, mark.column + 1

    def _take(self, key: str, required: bool = False) -> Node | None:
        """The node at ``key``; None when it is absent or null."""
        if key not in self._known:
            self._known.append(key)
        entry = self._entries.get(key)
        node = None if entry is None or _is_null(entry[1]) else entry[1]
        if node is None and required:
            raise self.wrong(key, "a value")
        return node


def _plain(section: Section, key: str, node: Node) -> Any:
    """A node as a plain value; an unknown tag or a key that is no text is an error."""
    if isinstance(node, SequenceNode):
        return [_plain(section, key, item) for item in node.value]
    if isinstance(node, MappingNode):
        inner = Section._of(node, section._file, _join(section._path, key))
        return {name: _plain(inner, name, value) for name, (_, value) in inner._entries.items()}
    kind = _kind(node)
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind in ("int", "float"):
        try:
            return int(node.value) if kind == "int" else float(node.value)
        except ValueError:
            raise section.wrong(key, "a decimal number") from None
    if kind in ("str", "timestamp"):
        return str(node.value)
    raise section.wrong(key, "a plain value without a tag")


def _kind(node: Node) -> str:
    """The last part of a node's tag: ``str``, ``int``, ``float``, ``bool``, ``null``, ..."""
    return str(node.tag).removeprefix(_TAG)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and _kind(node) == "null"


def _shown(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    text = repr(node.value)
    return "a list" if isinstance(node, SequenceNode) else text if len(text) <= 80 else f"{text[:60]}... ({len(text)})"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _error_at(
    node: Node | None, file: str, path: str, problem: str, found: str | None, hint: str | None = None
) -> ConfigError:
    line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
    parts = [f"{path or 'document'}: {problem}", f"found {found}" if found else "", hint or ""]
    return _error(file, line, column, ", ".join(part for part in parts if part))


def _error(file: str, line: int, column: int, message: str) -> ConfigError:
    return ConfigError(message, file=file, line=line, column=column)
