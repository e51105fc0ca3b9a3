"""Turns the events of a YAML text into nodes, by the rules of scenario files.

Stricter than YAML 1.2: keys are unique words, plain scalars mean one thing only (see `scalars`), the only
tags are ``!faker`` and ``!!str``, there are no merge keys, and an alias cannot contain itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from harness.scenario import fakers, scalars
from harness.scenario.misfit import Misfit
from harness.scenario.nodes import MAX_DEPTH, MAX_VALUES, Node
from harness.scenario.positions import Position, Source
from harness.scenario.problems import Problem, ScenarioProblems, misfit_problem, shown
from harness.scenario.values import FAKER_KEY

_STR = "tag:yaml.org,2002:str"


def compose(source: Source) -> Iterator[tuple[Node, list[Problem]]]:
    """The documents of `source`, each with what is wrong in it so far.

    Raises `ScenarioProblems` where the text is not YAML at all, so that nothing after it can be read.
    """
    events = _Events(source)
    for event in events:
        if isinstance(event, DocumentStartEvent):
            composer = _Composer(source, events)
            if event.version not in (None, (1, 2)):
                wrote = ".".join(str(part) for part in event.version)
                composer.problem(
                    event, Misfit("scenario files are YAML 1.2", found=f"%YAML {wrote}", hint="remove the line")
                )
            yield composer.node(next(events), 0), composer.problems


class _Events:
    """The parser's events; whatever it raises becomes a `ScenarioProblems` with a place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._events = YAML(typ="safe", pure=True).parse(source.text)
        self._last = Position(source, 1, 1)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            event = next(self._events)
        except StopIteration:
            raise
        except ReaderError as error:
            character = error.character if isinstance(error.character, str) else chr(error.character)
            message = f"the character U+{ord(character):04X} is not allowed in YAML"
            raise ScenarioProblems([Problem(self._source.at_offset(error.position), message)]) from None
        except MarkedYAMLError as error:
            raise ScenarioProblems([self._syntax(error)]) from None
        except (
            YAMLError,
            ValueError,
            ArithmeticError,
            LookupError,
            TypeError,
            AttributeError,
            AssertionError,
        ) as error:
            # ruamel.yaml lets some malformed texts run into plain Python errors, such as "\UFFFFFFFF".
            problem = Problem(self._last, f"not YAML near here ({type(error).__name__}: {error})")
            raise ScenarioProblems([problem]) from None
        self._last = mark_position(self._source, event.start_mark)
        return event

    def _syntax(self, error: MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        position = mark_position(self._source, mark) if mark else self._last
        message = (error.problem or error.context or "not YAML").replace("\n", " ")
        hint = "YAML indents with spaces, never with tabs" if "\\t" in message else ""
        if error.context and error.problem:
            began = f" that began on line {error.context_mark.line + 1}" if error.context_mark else ""
            message = f"not YAML: {message} ({error.context}{began})"
        else:
            message = f"not YAML: {message}"
        return Problem(position, message, hint=hint)


def mark_position(source: Source, mark: Any) -> Position:
    """The place of one of the parser's marks, which count from 0."""
    return source.position(mark.line + 1, mark.column + 1)


class _Composer:
    """Builds the tree of one document."""

    def __init__(self, source: Source, events: _Events) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._events = events
        self._anchors: dict[str, Node | None] = {}
        self._count = 0

    def problem(self, event: Any, misfit: Misfit) -> None:
        """Note that something is wrong where `event` stands."""
        self.problems.append(misfit_problem(misfit, mark_position(self._source, event.start_mark)))

    def node(self, event: Any, depth: int) -> Node:
        """The value that begins with `event`."""
        position = mark_position(self._source, event.start_mark)
        if isinstance(event, AliasEvent):
            return self._alias(event, position)
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_VALUES:
            limit = f"at most {MAX_DEPTH} levels and {MAX_VALUES:,} values"
            raise ScenarioProblems([Problem(position, "too large a document", expected=limit)])
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._value(event, position, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _value(self, event: Any, position: Position, depth: int) -> Node:
        node = Node(position)
        if isinstance(event, MappingStartEvent):
            node.value = {}
            self._pairs(node, depth)
        elif isinstance(event, SequenceStartEvent):
            node.value = []
            while not isinstance(item := next(self._events), SequenceEndEvent):
                node.value.append(self.node(item, depth + 1))
        tag = None if event.tag is None else str(event.tag)
        try:
            if tag == fakers.TAG:
                self._faker(node, event)
            elif isinstance(event, ScalarEvent):
                node.value = _scalar(event, tag)
            elif tag not in (None, "!"):
                raise _unknown_tag(tag)
        except Misfit as misfit:
            self.problem(event, misfit)
            node.bad = True
        return node

    def _pairs(self, node: Node, depth: int) -> None:
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self._events), depth + 1)
            wrong = None if key.bad else self._wrong_key(key.value, node)
            if wrong is not None:
                self.problems.append(misfit_problem(wrong, mark_position(self._source, event.start_mark)))
            elif isinstance(key.value, str) and not key.bad:
                node.value[key.value] = value
                node.keys[key.value] = mark_position(self._source, event.start_mark)

    @staticmethod
    def _wrong_key(key: Any, node: Node) -> Misfit | None:
        if not isinstance(key, str):
            return Misfit(
                "keys are words", expected="a text", found=key, hint="write it in quotes if you mean the text"
            )
        if key == "<<":
            return Misfit(
                "merge keys are not part of YAML 1.2",
                hint="repeat the keys, or use an alias for the whole value",
            )
        if key == FAKER_KEY:
            return Misfit(f"the key {FAKER_KEY!r} is reserved", hint="write !faker NAME")
        if key in node.keys:
            return Misfit(
                f"the key {key!r} stands twice; it is already on line {node.keys[key].line}", hint="remove one"
            )
        return None

    def _alias(self, event: Any, position: Position) -> Node:
        if event.anchor not in self._anchors:
            misfit = Misfit(f"there is no anchor &{event.anchor} before this alias")
        elif (node := self._anchors[event.anchor]) is None:
            misfit = Misfit(f"the alias *{event.anchor} stands inside its own anchor: it would never end")
        else:
            return node
        self.problem(event, misfit)
        return Node(position, bad=True)

    @staticmethod
    def _faker(node: Node, event: Any) -> None:
        node.value = fakers.faker_ref(event.value if isinstance(event, ScalarEvent) else _plain(node))
        node.keys = {}


def _plain(node: Node) -> Any:
    """The data of a small node, such as the arguments of a tag."""
    if isinstance(node.value, dict):
        return {key: _plain(item) for key, item in node.value.items()}
    return [_plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def _scalar(event: Any, tag: str | None) -> Any:
    if tag not in (None, "!", _STR):
        raise _unknown_tag(tag)
    if any("\ud800" <= character <= "\udfff" for character in event.value):
        raise Misfit("half a character: a lone surrogate cannot be written to any file", found=event.value)
    return scalars.resolve(event.value) if event.style is None and tag is None else event.value


def _unknown_tag(tag: str | None) -> Misfit:
    name = (tag or "").replace("tag:yaml.org,2002:", "!!")
    return Misfit(f"unknown tag {shown(name)}", expected="!faker, or none", hint="values need no tags here")
