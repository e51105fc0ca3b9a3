"""Reads scenario files: text to `Scenario`, or every problem at once with its line and column."""

from __future__ import annotations

import codecs
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.scenario import semantics
from harness.scenario.check_hints import with_hints
from harness.scenario.composer import compose
from harness.scenario.fields import aliases
from harness.scenario.misfit import Misfit
from harness.scenario.misfit import Path as DataPath
from harness.scenario.model import Scenario
from harness.scenario.nodes import Node, TooMuch, flatten
from harness.scenario.overrides import Override, parse_override
from harness.scenario.positions import Positions, Source
from harness.scenario.problems import Problem, ScenarioProblems, misfit_problem
from harness.scenario.shape import validate
from harness.scenario.vocabulary import Vocabulary

VERSION = 1
"""The format version that this harness reads: the value of ``scenario:``."""
MAX_BYTES = 1 << 20
"""A larger file is no scenario."""


@dataclass(frozen=True)
class ScenarioSource:
    """Where a scenario came from: the file, its text, and the place of each of its values.

    A file of several documents gives the same path and text to each of its scenarios.
    """

    path: Path
    text: str
    positions: Positions


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario with the text it was read from."""

    scenario: Scenario
    source: ScenarioSource

    def line_of(self, path: str) -> int:
        """The line of the value at a path such as ``checks.always.0``, or around it; 0 if none is."""
        return self.source.positions.line_of(path)


def load(
    path: Path | str, vocabulary: Vocabulary | None = None, *, overrides: Sequence[str] = ()
) -> list[LoadedScenario]:
    """Every scenario in the file at `path`, one for each YAML document.

    With a `vocabulary` its names are checked too; without one, only its shape. `overrides` are
    ``a.b.0.c=value`` texts that are put into every document that has a place for them. Raises
    `ScenarioProblems`, a `harness.errors.ScenarioError`, with all problems of the file in order.
    """
    path = Path(path)
    return load_text(_read(path), str(path), vocabulary, overrides=overrides)


def load_text(
    text: str, name: str = "<text>", vocabulary: Vocabulary | None = None, *, overrides: Sequence[str] = ()
) -> list[LoadedScenario]:
    """Every scenario in `text`; errors call it `name`. Otherwise like `load`.

    >>> try:
    ...     load_text("scenario: 2", "old.yaml")
    ... except ScenarioProblems as problems:
    ...     print(problems)
    old.yaml:1:11: scenario: this harness does not read format version 2
         1 | scenario: 2
           |           ^
        expected: 1   found: 2
    """
    source = Source(name, text.removeprefix("\ufeff"))
    if len(text) > MAX_BYTES:
        raise ScenarioProblems(
            [Problem(source.position(1, 1), "too large a file", expected="at most 1 MiB of text")]
        )
    documents = [_Document(source, node, found, vocabulary) for node, found in compose(source)]
    problems = _override(documents, [parse_override(text) for text in overrides])
    if not documents:
        problems.append(Problem(source.position(1, 1), "the file is empty", expected=_SMALLEST))
    problems += [problem for document in documents for problem in document.read()]
    problems += _names_twice(documents)
    if problems:
        raise ScenarioProblems(problems)
    return [
        LoadedScenario(document.scenario, ScenarioSource(Path(name), source.text, document.flat.positions))
        for document in documents
        if document.scenario is not None
    ]


def check(scenario: Scenario, vocabulary: Vocabulary) -> None:
    """Check the words of a scenario made in Python; raises `ScenarioProblems`, which show it as YAML."""
    from harness.scenario.dump import dump

    load_text(dump(scenario), f"<scenario {scenario.name}>", vocabulary)


_SMALLEST = "a scenario, which begins with `scenario: 1`"


class _Document:
    """One document on its way from nodes to a scenario."""

    def __init__(
        self, source: Source, node: Node, problems: list[Problem], vocabulary: Vocabulary | None
    ) -> None:
        self.scenario: Scenario | None = None
        self._found = problems
        self._vocabulary = vocabulary
        try:
            self.flat = flatten(node)
        except TooMuch as misfit:
            raise ScenarioProblems([misfit_problem(misfit, misfit.node.position)]) from None

    def read(self) -> list[Problem]:
        """Set `scenario`, or say what keeps it from being one: its version alone, if that is wrong."""
        wrong = _version_misfit(self.flat.data)
        if wrong is not None:
            return [self._problem(wrong)]
        self.scenario, shape = validate(Scenario, self.flat.data)
        shape = with_hints(shape, aliases(Scenario), self._vocabulary)
        wrong_shapes = {misfit.at for misfit in shape}
        meaning = [
            m for m in semantics.misfits(self.flat.data, self._vocabulary) if not _said(m.at, wrong_shapes)
        ]
        misfits = [m for m in (*shape, *meaning) if not _said(m.at, self.flat.bad)]
        return [*self._found, *(self._problem(misfit) for misfit in misfits)]

    def _problem(self, misfit: Misfit) -> Problem:
        positions = self.flat.positions
        position = positions.key(misfit.at) if misfit.key else positions.value(misfit.at)
        return misfit_problem(misfit, position, misfit.at)


def _said(path: DataPath, places: Set[DataPath]) -> bool:
    """Whether something was already said about the value at `path` or around it (the whole file excepted)."""
    return any(path[:length] in places for length in range(1, len(path) + 1))


def _version_misfit(data: Any) -> Misfit | None:
    if data is None:
        return Misfit("an empty document", expected=_SMALLEST, hint="remove a `---` too many")
    if not isinstance(data, dict):
        return Misfit("not a scenario", expected="a mapping that begins with `scenario: 1`", found=data)
    if "scenario" not in data:
        return Misfit("`scenario` is missing", expected=f"the version of the format, `scenario: {VERSION}`")
    version = data["scenario"]
    if type(version) is int and version == VERSION:
        return None
    return Misfit(
        f"this harness does not read format version {version!r}",
        expected=str(VERSION),
        found=version,
        at=("scenario",),
    )


def _override(documents: list[_Document], overrides: list[Override]) -> list[Problem]:
    """Put each override into every document that has a place for it; one that fits none is a problem."""
    problems = []
    for override in overrides:
        refused: list[Problem] = []
        for document in documents:
            try:
                document.flat = override.apply(document.flat)
            except ScenarioProblems as error:
                refused += error.problems
        if len(refused) >= len(documents):
            problems += refused[:1]
    return problems


def _names_twice(documents: list[_Document]) -> list[Problem]:
    """Two scenarios of one file with one name could not be told apart in a report."""
    seen: set[Any] = set()
    problems = []
    for document in documents:
        name = document.flat.data.get("name") if isinstance(document.flat.data, dict) else None
        if isinstance(name, str) and name in seen:
            position = document.flat.positions.value(("name",))
            problems.append(Problem(position, f"two scenarios of this file have the name {name!r}", ("name",)))
        seen.add(name if isinstance(name, str) else None)
    return problems


def _read(path: Path) -> str:
    """The text of a file. Raises `ScenarioProblems` when it cannot be read, is too large, or is not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = Problem(Source(str(path), "").position(1, 1), f"cannot be read: {error.strerror or error}")
        raise ScenarioProblems([problem]) from None
    if len(data) > MAX_BYTES:
        source = Source(str(path), data[:200].decode("utf-8", "replace"))
        raise ScenarioProblems([Problem(source.position(1, 1), "too large a file", expected="at most 1 MiB")])
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        source = Source(str(path), before + data[error.start :].decode("utf-8", "replace"))
        problem = Problem(
            source.at_offset(len(before)),
            "not UTF-8",
            expected="a text file in UTF-8",
            found=f"byte 0x{data[error.start]:02X}",
        )
        raise ScenarioProblems([problem]) from None
