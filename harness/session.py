"""Scenario files on disk turned into runs in folders: what `harness run` and the pytest plugin both do."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness import vocabulary, worlds
from harness.checks.verdict import Outcome, Verdict
from harness.errors import ScenarioError, UsageError
from harness.history.recorder import Recorder
from harness.report import manifest as manifests
from harness.report.folder import RunFolder
from harness.report.write import write_beginning, write_reports
from harness.runner import Run, RunResult
from harness.scenario.loader import LoadedScenario, load
from harness.scenario.model import World
from harness.scenario.problems import Problem
from harness.scenario.vocabulary import Vocabulary
from harness.stopping import heeded
from harness.targets.base import Driver
from harness.targets.registry import drivers

SUFFIXES = (".yaml", ".yml")
NOT_SCENARIOS = ("catalog.yaml",)
LONG = "long"
"""A folder of this name holds variants too long for every day: played only when it is named itself."""


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
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    mutant: str = "",
    only: str = "",
) -> list[PlannedRun]:
    """Every run that these files ask for. Raises `ScenarioError` with all problems of all files before anything is
    played.

    `only` names the one scenario to take. Without `world` it is the first world that a file names and that its driver
    knows; without `seeds` those of the file.
    """
    words = vocabulary.build()
    runs = []
    for loaded in load_all(find_files(paths), words, overrides):
        if only not in ("", loaded.scenario.name):
            continue
        if mutant:
            drivers()[loaded.scenario.target.driver].require_mutant(mutant)
        chosen = world or _first_world(loaded)
        wanted = seeds if seeds is not None else loaded.scenario.all_seeds()
        runs += [PlannedRun(loaded, seed, chosen, tuple(overrides), mutant) for seed in wanted]
    return runs


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


def _first_world(loaded: LoadedScenario) -> World:
    driver = drivers()[loaded.scenario.target.driver]
    for world in loaded.scenario.worlds:
        if world in driver.worlds:
            return world
    return loaded.scenario.worlds[0]


@dataclass
class Finished:
    """A run that was played: where it lies and what it came to."""

    planned: PlannedRun
    folder: RunFolder
    result: RunResult

    @property
    def verdict(self) -> Verdict:
        """The judgement."""
        return self.result.verdict


@dataclass
class Session:
    """Plays runs one after the other below one reports folder. `interrupted` turns true at the first Ctrl-C or
    SIGTERM."""

    reports: Path
    command: Sequence[str] = field(default_factory=lambda: list(sys.argv))
    settings: Mapping[str, manifests.Setting] = field(default_factory=dict)
    on_start: Callable[[PlannedRun, RunFolder, Recorder], None] = lambda planned, folder, recorder: None
    simulation: worlds.Simulation | None = None
    """How simulated runs are to be made; without it, from their seed."""
    interrupted: bool = False
    _stop: Callable[[], object] | None = field(default=None, init=False, repr=False)

    def interrupt(self) -> None:
        """Heal, tear down and end the run under way; may be called by a signal handler or from any thread."""
        self.interrupted = True
        if self._stop is not None:
            self._stop()

    def play(self, planned: PlannedRun) -> Finished:
        """Play one run to its verdict and write its folder; signals are turned into an orderly end while it lasts."""
        loaded, scenario = planned.loaded, planned.loaded.scenario
        folder = RunFolder.create(self.reports, scenario.name, planned.world.value, planned.seed)
        manifest = manifests.build(
            scenario=scenario.name,
            world=planned.world.value,
            seed=planned.seed,
            file=str(planned.path),
            about=scenario.about,
            kind=scenario.kind.value,
            command=self.command,
            again=planned.again,
            settings=dict(self.settings),
            source=loaded.source.text,
        )
        write_beginning(folder, scenario, manifest)
        run = Run(
            scenario,
            drivers()[scenario.target.driver],
            planned.seed,
            folder.path,
            planned.world,
            history_path=folder.history,
            mutant=planned.mutant,
            lines=loaded.line_of,
            on_recorder=lambda recorder: self.on_start(planned, folder, recorder),
        )
        driver = drivers()[scenario.target.driver]
        simulation = self.simulation or worlds.Simulation()
        try:
            with (
                worlds.entered(planned.world, planned.seed, parts=_parts(driver, planned.world), simulation=simulation),
                asyncio.Runner() as runner,
            ):
                result = runner.run(self._with_signals(run))
        finally:
            _keep(simulation, folder)
        self.interrupted |= result.verdict.outcome is Outcome.INTERRUPTED
        with _held_back(self.interrupt):
            write_reports(folder, scenario, result.history, result.verdict, manifest.finish())
        return Finished(planned, folder, result)

    async def _with_signals(self, run: Run) -> RunResult:
        loop = asyncio.get_running_loop()
        self._stop = stop = partial(loop.call_soon_threadsafe, run.interrupt)
        if self.interrupted:  # before there was anything to stop
            stop()
        try:
            with _handled(run.interrupt):
                return await run.run()
        finally:
            self._stop = None


def _parts(driver: Driver, world: World) -> Sequence[Any]:
    """What a simulated world needs for this kind of target."""
    return driver.parts() if world is World.SIM else ()


def _keep(simulation: worlds.Simulation, folder: RunFolder) -> None:
    """Leave what repeats a simulated run beside its history."""
    if simulation.made is not None and simulation.record is not None:
        simulation.made.save(folder.tape)
        folder.simulation.write_bytes(msgspec.json.encode(simulation.record) + b"\n")


@contextlib.contextmanager
def _handled(interrupt: Callable[[], None]) -> Iterator[None]:
    """Have every signal that asks to stop call `interrupt` while the block runs.

    Outside the main thread nothing can be changed, and nothing is.
    """
    loop = asyncio.get_running_loop()
    handled = []
    for number in heeded():
        try:
            before = signal.getsignal(number)
            loop.add_signal_handler(number, interrupt)
        except (ValueError, RuntimeError):
            continue
        handled.append((number, before))
    try:
        yield
    finally:
        for number, before in handled:
            loop.remove_signal_handler(number)
            signal.signal(number, before)


@contextlib.contextmanager
def _held_back(interrupt: Callable[[], None]) -> Iterator[None]:
    """Have every signal that asks to stop call `interrupt` and nothing else.

    What is written in the block, a moment's work, is written whole.
    """
    before = []
    for number in heeded():
        try:
            before.append((number, signal.signal(number, lambda *_: interrupt())))
        except ValueError:  # not the main thread, to which signals do not come anyway
            continue
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome that decides the exit code of several runs; `PASS` when there are none."""
    order = (
        Outcome.INTERRUPTED,
        Outcome.ERROR,
        Outcome.UNSTEADY,
        Outcome.FAIL,
        Outcome.ABORTED,
        Outcome.UNKNOWN,
        Outcome.PASS,
    )
    return min(outcomes, key=order.index, default=Outcome.PASS)
