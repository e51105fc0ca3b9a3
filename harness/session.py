"""Planned runs played to their verdict, in folders: what `harness run` and the pytest plugin both do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from harness import worlds
from harness.checks.verdict import Outcome, Verdict
from harness.errors import ExitCode, HarnessError
from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Header
from harness.oneplace import OnePlace, told
from harness.planning import PlannedRun, WrongFiles, find_files, load_all, load_each, plan
from harness.report import manifest as manifests
from harness.report.folder import RunFolder
from harness.report.simulated import SimRecord
from harness.report.write import write_beginning, write_reports
from harness.runner import Run, RunResult
from harness.scenario.model import World
from harness.stopping import caught_by, heeded
from harness.targets.registry import drivers

__all__ = [
    "Finished",
    "PlannedRun",
    "Session",
    "WrongFiles",
    "find_files",
    "load_all",
    "load_each",
    "plan",
    "worst",
]


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
        scenario = planned.loaded.scenario
        return self.play_in(RunFolder.create(self.reports, scenario.name, planned.world.value, planned.seed), planned)

    def play_in(self, folder: RunFolder, planned: PlannedRun) -> Finished:
        """The same in a folder that is there, and empty."""
        scenario = planned.loaded.scenario
        manifest = self._manifest(planned)
        write_beginning(folder, scenario, manifest)
        record = None
        if planned.world is World.SIM:
            result, record = self._simulated(planned, folder)
        else:
            with asyncio.Runner() as runner:
                result = runner.run(self._with_signals(self._run(planned, folder, folder.path)))
        self.interrupted |= result.verdict.outcome is Outcome.INTERRUPTED
        with caught_by(self.interrupt):  # a moment's work, written whole
            write_reports(folder, scenario, result.history, result.verdict, manifest.finish(simulation=record))
        return Finished(planned, folder, result)

    def _manifest(self, planned: PlannedRun) -> manifests.Manifest:
        scenario = planned.loaded.scenario
        return manifests.build(
            scenario=scenario.name,
            world=planned.world.value,
            seed=planned.seed,
            file=str(planned.path),
            about=scenario.about,
            kind=scenario.kind.value,
            command=self.command,
            again=planned.again,
            settings=dict(self.settings),
            source=planned.loaded.source.text,
            overrides=planned.overrides,
            mutant=planned.mutant,
        )

    def _run(self, planned: PlannedRun, folder: RunFolder, path: Path) -> Run:
        scenario = planned.loaded.scenario
        return Run(
            scenario,
            drivers()[scenario.target.driver],
            planned.seed,
            path,
            planned.world,
            history_path=folder.history,
            mutant=planned.mutant,
            lines=planned.loaded.line_of,
            on_recorder=lambda recorder: self.on_start(planned, folder, recorder),
        )

    async def _with_signals(self, run: Run, simulation: worlds.Simulation | None = None) -> RunResult:
        loop = asyncio.get_running_loop()
        stop = partial(loop.call_soon_threadsafe, run.interrupt)
        self._stop = stop if simulation is None else partial(simulation.interrupt, stop)
        if self.interrupted:  # before there was anything to stop
            stop()
        try:
            with _handled(run.interrupt):
                return await run.run()
        finally:
            self._stop = None

    def _simulated(self, planned: PlannedRun, folder: RunFolder) -> tuple[RunResult, SimRecord | None]:
        """Play it in a world of its own, where the folder has a name that is the same for every run.

        A world that ended by itself, because all of it waits for ever for instance, is a result as well.
        """
        from harness.sim import ReplayDiverged, SimError

        simulation = self.simulation or worlds.Simulation()
        driver = drivers()[planned.loaded.scenario.target.driver]
        try:
            with OnePlace(folder.path) as place, caught_by(partial(_heed, self, simulation)):
                parts = (place, *driver.parts())
                run = self._run(planned, folder, place.path)
                with (
                    worlds.entered(
                        planned.world,
                        planned.seed,
                        parts=parts,
                        simulation=simulation,
                        begins=planned.loaded.scenario.begins,
                    ),
                    asyncio.Runner() as runner,
                ):
                    result = self._until_it_fails(runner, run, simulation)
        except SimError as error:
            first = _first_failure(simulation, error)
            if isinstance(first, ReplayDiverged):
                raise first from first.__cause__
            result = _ended_by(first, planned, folder)
        finally:
            _keep(simulation, folder)
        return RunResult(result.history, told(result.verdict), result.error), simulation.record


    def _until_it_fails(self, runner: asyncio.Runner, run: Run, simulation: worlds.Simulation) -> RunResult:
        try:
            return runner.run(self._with_signals(run, simulation))
        except HarnessError:
            if simulation.tape is not None:  # nor does it fit what is left to be torn down
                simulation.tape.loose = True
            raise


def _first_failure(simulation: worlds.Simulation, error: HarnessError) -> HarnessError:
    """What ended the world: `error` may have come of tearing down what was left of it."""
    found = simulation.world.kernel.failure if simulation.world is not None else None
    return found if isinstance(found, HarnessError) else error


def _ended_by(error: HarnessError, planned: PlannedRun, folder: RunFolder) -> RunResult:
    """What a run came to whose world could not go on."""
    name, world = planned.loaded.scenario.name, planned.world.value
    if folder.history.is_file():
        history = History.read(folder.history)
    else:
        history = History(Header(scenario=name, seed=planned.seed, world=world))
    outcome = Outcome.FAIL if error.exit_code is ExitCode.FAIL else Outcome.ERROR
    verdict = Verdict(
        scenario=name,
        seed=planned.seed,
        world=world,
        outcome=outcome,
        reason=f"{type(error).__name__}: {error}",
        checks=(),
        duration=history.duration,
    )
    return RunResult(history, verdict, error)


def _heed(session: Session, simulation: worlds.Simulation) -> None:
    """A real signal asks a simulated run to stop: its own signals are simulated ones.

    When nothing has come of one before, something in the run computes for ever: `KeyboardInterrupt` ends it where it
    stands.
    """
    if simulation.unheard:
        raise KeyboardInterrupt
    session.interrupt()


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
