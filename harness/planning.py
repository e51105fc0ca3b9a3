"""Scenario files on disk turned into the runs that they ask for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import vocabulary
from harness.errors import ScenarioError, UsageError
from harness.scenario.loader import LoadedScenario, load
from harness.scenario.model import World
from harness.scenario.problems import Problem
from harness.scenario.vocabulary import Vocabulary
from harness.targets.registry import drivers

SUFFIXES = (".yaml", ".yml")
NOT_SCENARIOS = ("catalog.yaml",)
LONG = "long"
"""A folder of this name holds what is too long for every day, or needs more than is installed: played when named."""


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files that `paths` name: files as they are, folders searched. Raises `UsageError` when there are
    none."""
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            found += sorted(p for p in path.rglob("*") if _is_scenario(p, path))
        else:
            raise UsageError(f"{path}: no such file or folder")
    if not found:
        raise UsageError(f"no scenario files (*.yaml) in {', '.join(map(str, paths))}")
    return list(dict.fromkeys(found))


def _is_scenario(path: Path, root: Path) -> bool:
    inner = path.relative_to(root).parts[:-1]
    if any((root.joinpath(*inner[: depth + 1]) / "manifest.json").is_file() for depth in range(len(inner))):
        return False  # what a run left, in its own folder
    return path.suffix in SUFFIXES and path.name not in NOT_SCENARIOS and LONG not in inner and "golden" not in inner


@dataclass(frozen=True)
class PlannedRun:
    """One scenario with one seed in one world, not yet played."""

    loaded: LoadedScenario
    seed: int
    world: World
    overrides: tuple[str, ...] = ()
    mutant: str = ""

    @property
    def path(self) -> Path:
        """The file that the scenario came from."""
        return self.loaded.source.path

    @property
    def again(self) -> str:
        """The shell line that plays this very run again."""
        return shlex.join(self.words())

    def words(self) -> list[str]:
        """The same as a list of words."""
        words = ["harness", "run", str(self.path), "--world", self.world.value, "--seed", str(self.seed)]
        for override in self.overrides:
            words += ["--set", override]
        if self.mutant:
            words += ["--mutant", self.mutant]
        return words


def plan(
    paths: Sequence[Path],
    *,
    world: World | None = None,
    both: bool = False,
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    mutant: str = "",
    only: str = "",
    on_left_out: Callable[[LoadedScenario], object] = lambda loaded: None,
) -> list[PlannedRun]:
    """Every run that these files ask for. Raises `ScenarioError` with all problems of all files before anything is
    played.

    `only` names the one scenario to take. Without `world` it is the first world that a file names and that its driver
    knows; with `both` it is each of those, one run after the other. Without `seeds` they are those of the file.

    What lies in a folder and does not run in `world` is left out, and `on_left_out` told. Raises `UsageError` for a
    file that is named itself and does not run there, and when nothing is left.
    """
    words = vocabulary.build()
    runs: list[PlannedRun] = []
    left_out: list[LoadedScenario] = []
    for loaded in load_all(find_files(paths), words, overrides):
        if only not in ("", loaded.scenario.name):
            continue
        if world is not None and world not in _worlds(loaded):
            if loaded.source.path in paths:
                raise UsageError(_lacking(loaded, world))
            left_out.append(loaded)
            on_left_out(loaded)
            continue
        if mutant:
            drivers()[loaded.scenario.target.driver].require_mutant(mutant)
        chosen = [world] if world else _worlds(loaded)[: None if both else 1]
        wanted = seeds if seeds is not None else loaded.scenario.all_seeds()
        runs += [PlannedRun(loaded, seed, where, tuple(overrides), mutant) for seed in wanted for where in chosen]
    if left_out and not runs and world is not None:
        raise UsageError("; ".join(_lacking(loaded, world) for loaded in left_out))
    return runs


def _lacking(loaded: LoadedScenario, world: World) -> str:
    names = ", ".join(known.value for known in _worlds(loaded))
    return f"{loaded.source.path}: {loaded.scenario.name} runs in: {names}; asked for: {world.value}"


class WrongFiles(ScenarioError):
    """Some scenario files are wrong; ``problems`` holds those of all of them, file by file."""

    def __init__(self, errors: Sequence[ScenarioError]) -> None:
        super().__init__("\n\n".join(map(str, errors)))
        self.problems: tuple[Problem, ...] = tuple(p for error in errors for p in getattr(error, "problems", ()))


def load_all(files: Sequence[Path], words: Vocabulary, overrides: Sequence[str] = ()) -> list[LoadedScenario]:
    """Load all files; raises one `WrongFiles` that holds the problems of every file."""
    loaded, errors = load_each(files, words, overrides)
    if errors:
        raise WrongFiles(errors)
    return loaded


def load_each(
    files: Sequence[Path], words: Vocabulary, overrides: Sequence[str] = ()
) -> tuple[list[LoadedScenario], list[ScenarioError]]:
    """The scenarios of the files that are right, and the errors of those that are wrong."""
    loaded: list[LoadedScenario] = []
    errors: list[ScenarioError] = []
    for file in files:
        try:
            loaded += load(file, words, overrides=overrides)
        except ScenarioError as error:
            errors.append(error)
    return loaded, errors


def _worlds(loaded: LoadedScenario) -> list[World]:
    """The worlds that a file names and that its driver knows; the first that it names if there is none."""
    known = drivers()[loaded.scenario.target.driver].worlds
    return [world for world in loaded.scenario.worlds if world in known] or [loaded.scenario.worlds[0]]
