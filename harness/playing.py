"""Planned runs played at a terminal: what is shown meanwhile, what is printed then, and the exit code of them all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.checks.verdict import Outcome, Verdict
from harness.errors import ExitCode
from harness.history.records import PhaseName
from harness.parallel import play_in_processes
from harness.progress import Progress
from harness.repeated import play_twice
from harness.report import agreement, console, jsonout, progress
from harness.report.live import LiveView
from harness.report.manifest import Manifest, Setting
from harness.report.progress import Reached, State
from harness.scenario.model import World
from harness.session import Session, worst
from harness.stopping import caught_by
from harness.terminal import planned_load
from harness.worlds import Simulation

if TYPE_CHECKING:
    from harness.history.recorder import Recorder
    from harness.repeated import Repeated
    from harness.report.folder import RunFolder
    from harness.session import PlannedRun


@dataclass(frozen=True)
class How:
    """How runs are to be played and told: `workers` at once, `twice` those that are simulated, with a table of the
    `agreement` of the worlds."""

    workers: int = 1
    quiet: bool = False
    as_json: bool = False
    twice: bool = False
    agreement: bool = False


@dataclass(frozen=True)
class Told:
    """A run that was played. `document` is what machines are told of it."""

    planned: PlannedRun
    verdict: Verdict
    manifest: Manifest
    folder: RunFolder
    document: dict[str, Any]


def run_all(
    planned: Sequence[PlannedRun], reports: Path, how: How, *, settings: Mapping[str, Setting] | None = None
) -> ExitCode:
    """Play every run, print its verdict, and return the exit code of the worst. After an interrupt nothing more is
    begun, and of each file it is told how far it came."""
    begin = time.monotonic()
    halt = _Halt()
    runs = []
    with caught_by(halt.call):  # between two runs as well: what was played is told whatever comes
        for told in _played(planned, reports, how, settings or {}, halt):
            runs.append(told)
            if not how.as_json:
                _print(told, how)
        rows = _tell(planned, runs, how, time.monotonic() - begin)
    outcomes = [run.verdict.outcome for run in runs]
    if len(outcomes) < len(planned):  # only an interrupt keeps a run from being begun
        outcomes.append(Outcome.INTERRUPTED)
    if any(row.agree is False for row in rows):
        outcomes.append(Outcome.FAIL)
    return _code(worst(outcomes), differs=any(run.document.get("repeated", {}).get("difference") for run in runs))


def _tell(planned: Sequence[PlannedRun], runs: Sequence[Told], how: How, took: float) -> list[agreement.Row]:
    """Print what is to be said of all runs together; returns the rows of the agreement of the worlds."""
    places = {id(run): place for place, run in enumerate(planned)}
    in_order = sorted(runs, key=lambda run: places[id(run.planned)])
    rows = agreement.agreement(run.verdict for run in in_order) if how.agreement else []
    reached = _reached(planned, runs)
    if how.as_json:
        documents = _documents(planned, runs, reached)
        told_rows = [row.as_json() for row in rows]
        click.echo(jsonout.dumps({"runs": documents, "agreement": told_rows} if how.agreement else documents))
        return rows
    if len(planned) > 1:
        console.show(console.summary([run.verdict for run in runs], took))
        if any(run.state is not State.FINISHED for run in reached):
            console.show(progress.told(reached))
    if rows:
        console.show(agreement.told(rows))
    return rows


def _reached(planned: Sequence[PlannedRun], runs: Sequence[Told]) -> list[Reached]:
    """How far each of the planned runs came, in their order."""
    outcomes = {id(run.planned): run.verdict.outcome for run in runs}
    states = {None: State.NOT_BEGUN, Outcome.INTERRUPTED: State.CUT_SHORT}
    return [
        Reached(str(run.path), run.seed, run.world.value, states.get(outcomes.get(id(run)), State.FINISHED))
        for run in planned
    ]


def _documents(
    planned: Sequence[PlannedRun], runs: Sequence[Told], reached: Sequence[Reached]
) -> list[Mapping[str, Any]]:
    """A document for each run as it ended, then one for each that was not begun."""
    states = {id(run): far for run, far in zip(planned, reached, strict=True)}
    documents: list[Mapping[str, Any]] = [
        {**run.document, "state": states[id(run.planned)].state.value} for run in runs
    ]
    documents += [
        progress.not_begun(run.loaded.scenario.name, far, run.again)
        for run, far in zip(planned, reached, strict=True)
        if far.state is State.NOT_BEGUN
    ]
    return documents


@dataclass
class _Halt:
    """Whether a signal has asked to stop: no further run is begun, and the one about to begin ends at once."""

    called: bool = False
    session: Session | None = None

    def begins(self, session: Session) -> None:
        """The next run is this session's, which is told what came before it was there."""
        self.session = session
        if self.called:
            session.interrupt()

    def call(self) -> None:
        """A signal came while no run was under way that heeds signals itself."""
        self.called = True
        if self.session is not None:
            self.session.interrupt()


def _code(outcome: Outcome, *, differs: bool) -> ExitCode:
    """Whoever asks whether a run is repeatable is told that first; a run that was interrupted proves nothing."""
    if differs and outcome is not Outcome.INTERRUPTED:
        return ExitCode.NONDETERMINISTIC
    return outcome.exit_code


def _played(
    planned: Sequence[PlannedRun], reports: Path, how: How, settings: Mapping[str, Setting], halt: _Halt
) -> Iterator[Told]:
    if how.workers > 1 and len(planned) > 1:
        for run in play_in_processes(planned, reports, how.workers, twice=how.twice):
            yield Told(run.planned, run.verdict, run.manifest, run.folder, run.document)
        return
    for run_ in planned:
        if halt.called:
            return
        told, interrupted = _play(run_, reports, how, settings, halt)
        yield told
        if interrupted:
            return


def _play(run: PlannedRun, reports: Path, how: How, settings: Mapping[str, Setting], halt: _Halt) -> tuple[Told, bool]:
    with _Shown(run, quiet=how.quiet) as view:
        session = Session(reports, settings=settings, on_start=view.begin, simulation=view.simulation)
        halt.begins(session)
        repeated: Repeated | None = None
        if how.twice and run.world is World.SIM:
            finished, repeated = play_twice(session, run)
        else:
            finished = session.play(run)
    manifest = Manifest.read(finished.folder.manifest)
    document = jsonout.as_json(finished.verdict, manifest, folder=finished.folder.path)
    if repeated is not None:
        document["repeated"] = repeated.as_json()
    return Told(run, finished.verdict, manifest, finished.folder, document), session.interrupted


class _Shown:
    """What is seen of one run while it lasts: the live view, begun when its recorder exists, or the virtual clock."""

    def __init__(self, run: PlannedRun, *, quiet: bool) -> None:
        self._run, self._quiet = run, quiet
        self._stack = ExitStack()
        self.simulation = Simulation()

    def begin(self, planned: PlannedRun, folder: RunFolder, recorder: Recorder) -> None:
        """The run begins."""
        if planned.world is World.SIM:
            return  # a thread that looks at its history would be one of its world's
        scenario = planned.loaded.scenario
        limits = {name: getattr(scenario.limits, name.value, 0.0) for name in PhaseName}
        view = LiveView(
            scenario.name,
            clock=recorder.now,
            limits={k: v for k, v in limits.items() if v},
            planned=planned_load(scenario),
            quiet=self._quiet,
        )
        self._stack.enter_context(view)
        recorder.subscribe(view.feed)

    def __enter__(self) -> _Shown:
        if self._run.world is World.SIM:
            name = self._run.loaded.scenario.name
            self._stack.enter_context(Progress(name, self._run.seed, self.simulation, quiet=self._quiet))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _print(told: Told, how: How) -> None:
    console.show(
        console.told(
            told.verdict, told.manifest, report=told.folder.html, quiet=how.quiet, folder=told.folder.path
        )
    )
    if (repeated := told.document.get("repeated")) is not None:
        console.show(console.repeated(repeated))
