"""One scenario, one seed, one world: from set-up to verdict, healed and torn down whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import abort, sampling
from harness.checks.judge import judge, sum_up
from harness.checks.load_answered import with_failures
from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.errors import FaultError, HarnessError, Interrupted, NeverReady, TargetError, UsageError
from harness.faults.injector import Injector
from harness.faults.plan import draw_plan
from harness.history.history import History, remedy
from harness.history.recorder import Recorder
from harness.history.records import Edge, Event, Phase, PhaseName, Status, Step
from harness.lifecycle.governor_driver import GovernorDriver
from harness.scenario.model import Expect, Given, Scenario, World
from harness.scenario.streams import Streams
from harness.targets.base import Driver, Target, TargetContext
from harness.teardown import PROBLEM, Teardown, problems
from harness.workload.driver import call_once, drive
from harness.workload.payloads import Payloads

_LOG = logging.getLogger(__name__)
START_GRACE = 2.5
"""Seconds beyond ``limits.setup`` in which a target may still say itself, and better, what it waited for."""
PATIENCE = 10.0
"""Seconds that calls under way get to end once the load is over."""
HURRY = 2.0
"""The same after an interrupt."""
BY_RULE = "stopped by a rule: "
MUTANT_MET = "mutant-met"
"""The event that a target leaves when code of the mutant was run for the first time in one of its processes."""


@dataclass
class RunResult:
    """What one run left: its history, its verdict, and the error that ended it early, if one did."""

    history: History
    verdict: Verdict
    error: BaseException | None = None


@dataclass
class Run:
    """One run. `run()` is called once; `interrupt()` may be called at any moment from the same loop.

    ``folder`` is where the target may leave its files and logs. The history is written to ``history_path`` while the
    run goes on; None keeps it in memory.
    """

    scenario: Scenario
    driver: Driver
    seed: int
    folder: Path
    world: World = World.REAL
    history_path: Path | None = None
    mutant: str = ""
    lines: Callable[[str], int] = lambda path: 0
    on_recorder: Callable[[Recorder], None] = lambda recorder: None
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _interrupts: int = field(default=0, init=False)
    _ended: str = field(default="", init=False)
    _failed_step: str = field(default="", init=False)
    _injector: Injector | None = field(default=None, init=False)
    _unwritten: OSError | None = field(default=None, init=False)

    async def run(self) -> RunResult:
        """Play the scenario and judge it. Raises `UsageError`, and `HarnessError` for a history that cannot be written:
        whatever else goes wrong becomes the verdict."""
        if self.world not in self.scenario.worlds:
            names = ", ".join(w.value for w in self.scenario.worlds)
            raise UsageError(f"{self.scenario.name} runs in: {names}; asked for: {self.world.value}")
        if self.world not in self.driver.worlds:
            raise UsageError(f"the driver {self.driver.name} does not know the world {self.world.value} yet")
        self._streams = Streams(self.seed)
        loop = asyncio.get_running_loop()
        self._recorder = Recorder(
            self.history_path, on_lost=lambda error: loop.call_soon_threadsafe(self._stop_unwritten, error)
        )
        self._recorder.header(self.scenario.name, self.seed, self.world.value)
        # Whatever is wrong with plan and rules must come out before anything is started.
        self._plan = draw_plan(self.scenario, self._streams, planned_length(self.scenario))
        self._rules = abort.rules(self.scenario, self._recorder, self.folder)
        self.on_recorder(self._recorder)
        error = await self._play_and_clean_up()
        history = self._closed()
        return RunResult(history, self._verdict(history, error), error)

    def _closed(self) -> History:
        try:
            return self._recorder.close()
        except HarnessError as error:
            raise HarnessError(f"{error}; the run was ended, healed and torn down") from error

    async def _play_and_clean_up(self) -> BaseException | None:
        context = TargetContext(self.folder, self._streams.stream("target"), self._recorder, self.mutant)
        try:
            self._target: Target = self.driver.create(self.scenario, context)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - a folder that cannot be written, say: there is nothing to clean up yet
            return error
        self._task = asyncio.create_task(self._play(), name=f"run {self.scenario.name}")
        return await self._outcome_of(self._task)

    def interrupt(self) -> None:
        """Stop: the first call heals and tears down in good order, the second one kills what is left at once."""
        self._interrupts += 1
        if self._task is not None:
            self._task.cancel()

    def _stop_unwritten(self, error: OSError) -> None:
        """The history cannot be written any more, on a full disk say, where no target does anything either: stop as for
        an interrupt."""
        _LOG.error("the run is ended: what it would record from here on might be lost")
        self._unwritten = error
        if self._task is not None:
            self._task.cancel()

    async def _outcome_of(self, task: asyncio.Task[None]) -> BaseException | None:
        error: BaseException | None = None
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():  # this coroutine itself was cancelled: same as an interrupt
                self.interrupt()
                await asyncio.wait([task])
            if self._unwritten is None:
                self._interrupts = max(self._interrupts, 1)
        except Exception as raised:  # noqa: BLE001 - any error must become a verdict: the machine is clean by now
            error = raised
        # Also when the teardown was all that an interrupt could hit, or when something else broke on the way down.
        if self._interrupts > 1:
            return Interrupted("interrupted twice; what was left was killed")
        if self._interrupts:
            return Interrupted("interrupted; everything was healed and torn down")
        if self._unwritten is not None and error is None:
            said = f"the history could not be written while the run went on: {self._unwritten}{remedy(self._unwritten)}"
            return HarnessError(f"{said}; the run was ended, healed and torn down")
        return error

    async def _play(self) -> None:
        limits = self.scenario.limits
        try:
            if self.scenario.cycles is not None:
                await self._cycles()
                return
            async with self._phase(PhaseName.SETUP):
                await self._start()
            async with self._phase(PhaseName.STEADY):
                for expect in self.scenario.steady:
                    await sampling.until(self._target, self._recorder, expect.expect, within=expect.within)
            self._recorder.begin_run()
            windows = [expect.within for expect in self.scenario.checks.eventually]
            interval = sampling.interval_for(planned_length(self.scenario), windows)
            async with sampling.sampling(self._target, self._recorder, interval=interval):
                async with self._phase(PhaseName.RUN):
                    await self._load_and_faults()
                async with self._phase(PhaseName.SETTLE):
                    await self._settle(limits.settle)
        finally:
            try:
                await self._release()
            finally:
                await self._teardown(limits.teardown)

    async def _release(self) -> None:
        """Heal what ``keep`` has kept until now: nothing that is paused or locked could be stopped in good order."""
        if self._injector is None:
            return
        try:
            await self._injector.release()
        except FaultError as error:
            self._recorder.event(PROBLEM, "release kept faults", error=str(error))

    async def _start(self) -> None:
        """Start the target; raises `NeverReady` when that takes longer than the scenario allows, whatever the target
        thinks of it."""
        limit = self.scenario.limits.setup
        try:
            async with asyncio.timeout(limit + START_GRACE) as timeout:
                await self._target.start()
        except TimeoutError:
            if not timeout.expired():
                raise
            raise NeverReady(f"the start was not over after {limit:g} s (limits.setup) and was broken off") from None

    @contextlib.asynccontextmanager
    async def _phase(self, name: PhaseName) -> AsyncIterator[None]:
        self._mark(name, Edge.BEGIN)
        detail = ""
        try:
            yield
        except BaseException as error:
            detail = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._mark(name, Edge.END, detail)

    def _mark(self, name: PhaseName, edge: Edge, detail: str = "") -> None:
        self._recorder.append(Phase(at=self._recorder.now(), name=name, edge=edge, detail=detail))

    async def _load_and_faults(self) -> None:
        """Workloads, steps and faults together, until the load is through, the limit is reached or a rule aborts."""
        injector = Injector(self.scenario, self._plan, self._target, self._recorder, self._streams)
        self._injector = injector
        stop = asyncio.Event()
        payloads = Payloads(self._streams, self.scenario.topology.handler_names())
        async with injector:
            load = asyncio.create_task(self._load(payloads, stop), name="load")
            guard = asyncio.create_task(abort.watch(self._rules), name="abort rules")
            try:
                await asyncio.wait({load, guard}, timeout=self.scenario.limits.run, return_when=asyncio.FIRST_COMPLETED)
                if guard.done():
                    self._ended = f"{BY_RULE}{guard.result()}"
                elif not load.done():
                    self._ended = f"the run was cut at its limit of {self.scenario.limits.run:g} s"
            finally:
                stop.set()
                guard.cancel()
                await self._end(load)
            if not load.cancelled() and (error := load.exception()):
                raise error

    async def _end(self, load: asyncio.Task[None]) -> None:
        """Let the calls under way end, for a while; nothing of the load goes on afterwards, whoever interrupts this."""
        try:
            await asyncio.wait({load}, timeout=HURRY if self._hurried() else PATIENCE)
        finally:
            load.cancel()
            # Not gather: where all is done already it takes another turn of the loop on 3.11 than on 3.12.
            await asyncio.wait({load})
            if not load.cancelled():
                load.exception()  # seen: whoever interrupted this has an error of his own

    def _hurried(self) -> bool:
        return self._interrupts > 0 or self._unwritten is not None

    async def _load(self, payloads: Payloads, stop: asyncio.Event) -> None:
        for step in self.scenario.given:
            if problem := await self._step(step, payloads):
                raise TargetError(f"given {problem}")
        for step in self.scenario.when:
            if problem := await self._step(step, payloads):
                self._failed_step = f"when {problem}"
                return
        ids = itertools.count(1)
        async with asyncio.TaskGroup() as group:
            for item in self.scenario.workload:
                group.create_task(
                    drive(
                        item, self._target, self._recorder, payloads=payloads, streams=self._streams, stop=stop, ids=ids
                    ),
                    name=f"workload {item.id}",
                )

    async def _step(self, step: Given, payloads: Payloads) -> str:
        """Play one step; what it should have come to and did come to, if those differ."""
        if step.advance is not None:
            await asyncio.sleep(step.advance)
            return ""
        for _ in range(step.count):
            operation = await call_once(step, self._target, self._recorder, payloads=payloads)
            if step.expect not in ("any", operation.status.value):
                got = f"{operation.status.value} {operation.error}".strip()
                return f"{step.id or step.op}: expected {step.expect}, got {got}"
        return ""

    async def _settle(self, limit: float) -> None:
        """Wait until nothing is left to do and every ``eventually`` is decided, `limit` seconds at most.

        An expectation that holds now holds after every heal, since healing ends with the run phase; one that does not
        is waited for until its window is over.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while (passed := loop.time() - begin) < limit:
            numbers = await sampling.look(self._target, self._recorder)
            open_ends = [e for e in self.scenario.checks.eventually if not _holds(e, numbers) and passed < e.within]
            if numbers.get("backlog") == 0 and not open_ends:
                return
            await asyncio.sleep(sampling.INTERVAL)

    async def _cycles(self) -> None:
        """Play the cycles; where each of them stopped the target, start it once more: it must still do what it
        accepted."""
        cycles = self.scenario.cycles
        assert cycles is not None
        if cycles.start == "once":
            async with self._phase(PhaseName.SETUP):
                await self._start()
        self._recorder.begin_run()
        payloads = Payloads(self._streams, self.scenario.topology.handler_names())
        driver = GovernorDriver(self._target, self._recorder, self._streams.stream("cycles"), payloads=payloads)
        async with self._phase(PhaseName.RUN):
            played = await driver.play(cycles, self.scenario.topology.handler_names(), limit=self.scenario.limits.run)
            if played.cut:
                limit = self.scenario.limits.run
                self._ended = f"cut at its limit of {limit:g} s, after {played.cycles} of {cycles.count} cycles"
        async with self._phase(PhaseName.SETTLE):
            if cycles.start == "once" or await self._starts_again(played.cycles + 1):
                await self._settle(self.scenario.limits.settle)

    async def _starts_again(self, cycle: int) -> bool:
        """Start the target after its last cycle; that it does not start is evidence about it, as in every cycle
        before."""
        begin = self._recorder.now()
        try:
            await self._start()
        except TargetError as error:
            self._recorder.append(
                Step(
                    at=self._recorder.now(),
                    cycle=cycle,
                    step="start",
                    start=begin,
                    end=self._recorder.now(),
                    status=Status.FAIL,
                    detail={"error": str(error)},
                )
            )
            return False
        return True

    async def _teardown(self, limit: float) -> None:
        async with self._phase(PhaseName.TEARDOWN):
            await Teardown(self._target, self._recorder, limit, hurried=lambda: self._interrupts > 1).run()

    def _verdict(self, history: History, error: BaseException | None) -> Verdict:
        checks: tuple[CheckResult, ...] = ()
        if isinstance(error, Interrupted):
            outcome, reason = Outcome.INTERRUPTED, str(error)
        elif isinstance(error, TargetError):
            outcome, reason = Outcome.UNSTEADY, str(error)
        elif error is not None:
            outcome, reason = Outcome.ERROR, _describe(error)
        else:
            checks = judge(self.scenario, history, lines=self.lines)
            outcome, reason = sum_up(self.scenario, checks)
            if self._failed_step and outcome is not Outcome.FAIL:
                outcome, reason = Outcome.FAIL, self._failed_step
            unclean = problems(history.of(Event))
            if self._ended.startswith(BY_RULE):
                outcome, reason = Outcome.ABORTED, self._ended
            elif outcome is Outcome.PASS and unclean:
                outcome, reason = Outcome.ERROR, f"the teardown went wrong: {'; '.join(unclean)}"
            elif self._ended and outcome is Outcome.PASS:
                outcome, reason = Outcome.UNKNOWN, self._ended
            reason = with_failures(reason, self.scenario, history)
        if self.mutant and outcome is Outcome.PASS and not any(e.name == MUTANT_MET for e in history.of(Event)):
            reason += f"; the mutant {self.mutant} was never met: none of the code that it breaks was run"
        return Verdict(
            scenario=self.scenario.name,
            seed=self.seed,
            world=self.world.value,
            outcome=outcome,
            reason=reason,
            checks=checks,
            duration=history.duration,
        )


def planned_length(scenario: Scenario) -> float:
    """Seconds that the run phase will last as far as the file tells, and at most its limit: what faults are planned
    for."""
    lengths = [w.duration() or 0.0 for w in scenario.workload]
    steps = sum(step.advance or 0.0 for step in (*scenario.given, *scenario.when))
    return min(max([*lengths, steps]) or scenario.limits.run, scenario.limits.run)


def _holds(expect: Expect, numbers: Mapping[str, float]) -> bool:
    return all(name in numbers and bound.holds(numbers[name]) for name, bound in expect.expect.items())


def _describe(error: BaseException) -> str:
    """One sentence for a harness error; for a bug of ours, also where it was raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, HarnessError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(frame[0].filename).name}:{frame[0].lineno})" if frame else ""
    return f"{type(error).__name__}: {error}{where}"
