"""One scenario, one seed, one world: from set-up to verdict, healed and torn down whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import abort, sampling
from harness.checks.judge import judge, sum_up
from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.errors import HarnessError, Interrupted, TargetError, UsageError
from harness.faults.injector import Injector
from harness.faults.plan import draw_plan
from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Edge, Phase, PhaseName
from harness.lifecycle.governor_driver import GovernorDriver
from harness.scenario.model import Expect, Given, Scenario, World
from harness.scenario.streams import Streams
from harness.targets.base import Driver, StopHow, Target, TargetContext
from harness.workload.driver import drive
from harness.workload.payloads import Payloads


@dataclass
class RunResult:
    """What one run left: its history, its verdict, and the error that ended it early, if one did."""

    history: History
    verdict: Verdict
    error: BaseException | None = None


@dataclass
class Run:
    """One run. `run()` is called once; `interrupt()` may be called at any moment from the same loop.

    ``folder`` is where the target may leave its files and logs. The history is written to ``history_path`` while the run
    goes on; None keeps it in memory.
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

    async def run(self) -> RunResult:
        """Play the scenario and judge it. Raises `UsageError` only: whatever else goes wrong becomes the verdict."""
        if self.world not in self.scenario.worlds:
            names = ", ".join(w.value for w in self.scenario.worlds)
            raise UsageError(f"{self.scenario.name} runs in: {names}; asked for: {self.world.value}")
        if self.world not in self.driver.worlds:
            raise UsageError(f"the driver {self.driver.name} does not know the world {self.world.value} yet")
        self._streams = Streams(self.seed)
        self._recorder = Recorder(self.history_path)
        self._recorder.header(self.scenario.name, self.seed, self.world.value)
        self.on_recorder(self._recorder)
        context = TargetContext(self.folder, self._streams.stream("target"), self._recorder, self.mutant)
        self._target: Target = self.driver.create(self.scenario, context)
        self._task = asyncio.create_task(self._play(), name=f"run {self.scenario.name}")
        error = await self._outcome_of(self._task)
        history = self._recorder.close()
        return RunResult(history, self._verdict(history, error), error)

    def interrupt(self) -> None:
        """Stop: the first call heals and tears down in good order, the second one kills what is left at once."""
        self._interrupts += 1
        if self._task is not None:
            self._task.cancel()

    async def _outcome_of(self, task: asyncio.Task[None]) -> BaseException | None:
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():  # this coroutine itself was cancelled: same as an interrupt
                self.interrupt()
                await asyncio.wait([task])
            return Interrupted("interrupted; everything was healed and torn down")
        except Exception as error:  # noqa: BLE001 - any error must become a verdict: the machine is clean by now
            return error
        return None

    async def _play(self) -> None:
        limits = self.scenario.limits
        try:
            if self.scenario.cycles is not None:
                await self._cycles()
                return
            async with self._phase(PhaseName.SETUP):
                await self._target.start()
            async with self._phase(PhaseName.STEADY):
                for expect in self.scenario.steady:
                    await sampling.until(self._target, self._recorder, expect.expect, within=expect.within)
            self._recorder.begin_run()
            async with sampling.sampling(self._target, self._recorder):
                async with self._phase(PhaseName.RUN):
                    await self._load_and_faults()
                async with self._phase(PhaseName.SETTLE):
                    await self._settle(limits.settle)
        finally:
            await self._teardown(limits.teardown)

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
        plan = draw_plan(self.scenario, self._streams, planned_length(self.scenario))
        injector = Injector(self.scenario, plan, self._target, self._recorder, self._streams)
        stop = asyncio.Event()
        payloads = Payloads(self._streams, self.scenario.topology.handler_names())
        watched = abort.rules(self.scenario, self._recorder, self.folder)
        async with injector:
            load = asyncio.create_task(self._load(payloads, stop), name="load")
            guard = asyncio.create_task(abort.watch(watched), name="abort rules")
            try:
                await asyncio.wait({load, guard}, timeout=self.scenario.limits.run, return_when=asyncio.FIRST_COMPLETED)
                if guard.done():
                    self._ended = f"stopped by a rule: {guard.result()}"
                elif not load.done():
                    self._ended = f"the run was cut at its limit of {self.scenario.limits.run:g} s"
            finally:
                stop.set()
                guard.cancel()
                await asyncio.wait({load}, timeout=10.0)
                load.cancel()
                await asyncio.gather(load, guard, return_exceptions=True)
            if load.done() and not load.cancelled() and (error := load.exception()):
                raise error

    async def _load(self, payloads: Payloads, stop: asyncio.Event) -> None:
        for step in (*self.scenario.given, *self.scenario.when):
            await self._step(step, payloads)
        ids = itertools.count(1)
        async with asyncio.TaskGroup() as group:
            for item in self.scenario.workload:
                group.create_task(
                    drive(item, self._target, self._recorder, payloads=payloads, streams=self._streams, stop=stop, ids=ids),
                    name=f"workload {item.id}",
                )

    async def _step(self, step: Given, payloads: Payloads) -> None:
        if step.advance is not None:
            await asyncio.sleep(step.advance)
            return
        from harness.workload.driver import call_once

        for _ in range(step.count):
            operation = await call_once(step, self._target, self._recorder, payloads=payloads)
            if step.expect not in ("any", operation.status.value):
                raise TargetError(
                    f"step {step.id or step.op}: expected {step.expect}, got {operation.status.value} {operation.error}"
                )

    async def _settle(self, limit: float) -> None:
        """Wait until nothing is left to do and every ``eventually`` is decided, `limit` seconds at most.

        An expectation that holds now holds after every heal, since healing ends with the run phase; one that does not is
        waited for until its window is over.
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
        """Play the cycles; where each of them stopped the target, start it once more: it must still do what it accepted."""
        cycles = self.scenario.cycles
        assert cycles is not None
        if cycles.start == "once":
            async with self._phase(PhaseName.SETUP):
                await self._target.start()
        self._recorder.begin_run()
        payloads = Payloads(self._streams, self.scenario.topology.handler_names())
        driver = GovernorDriver(self._target, self._recorder, self._streams.stream("cycles"), payloads=payloads)
        async with self._phase(PhaseName.RUN):
            played = await driver.play(cycles, self.scenario.topology.handler_names(), limit=self.scenario.limits.run)
            if played.cut:
                self._ended = f"cut at its limit of {self.scenario.limits.run:g} s, after {played.cycles} of {cycles.count} cycles"
        async with self._phase(PhaseName.SETTLE):
            if cycles.start == "each":
                await self._target.start()
            await self._settle(self.scenario.limits.settle)

    async def _teardown(self, limit: float) -> None:
        """Collect, stop, look for left-overs; every step is tried whatever the one before said."""
        async with self._phase(PhaseName.TEARDOWN):
            await self._attempt("collect", self._collect, limit)
            how = StopHow.KILL if self._interrupts > 1 else StopHow.TERM
            await self._attempt("stop", lambda: self._target.stop(how, timeout=limit), limit + 5.0)
            await self._attempt("collect files", self._collect_files, limit)
            await self._attempt("audit", self._audit, limit)
            await self._target.close()

    async def _attempt(self, what: str, action: Callable[[], Awaitable[object]], limit: float) -> None:
        """Run one step of the teardown with a deadline; an interrupt cuts it short but never skips what follows."""
        task = asyncio.ensure_future(action())
        deadline = asyncio.get_running_loop().time() + limit
        while not task.done():
            try:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    task.cancel()
                await asyncio.wait({task}, timeout=max(left, 1.0))
            except asyncio.CancelledError:
                if self._interrupts > 1:
                    task.cancel()
        if not task.cancelled() and (error := task.exception()) is not None:
            text = "".join(traceback.format_exception_only(error)).strip()
            self._recorder.event("teardown-problem", what, error=text)
        elif task.cancelled():
            self._recorder.event("teardown-problem", what, error=f"not done after {limit:g} s")

    async def _collect(self) -> None:
        for record in await self._target.collect():
            self._recorder.append(record)

    async def _collect_files(self) -> None:
        for record in await self._target.collect_files():
            self._recorder.append(record)

    async def _audit(self) -> None:
        for record in await self._target.audit("final"):
            self._recorder.append(record)

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
            if self._ended.startswith("stopped by a rule"):
                outcome, reason = Outcome.ABORTED, self._ended
            elif self._ended and outcome is Outcome.PASS:
                outcome, reason = Outcome.UNKNOWN, self._ended
        return Verdict(
            scenario=self.scenario.name, seed=self.seed, world=self.world.value, outcome=outcome, reason=reason,
            checks=checks, duration=history.duration,
        )


def planned_length(scenario: Scenario) -> float:
    """Seconds that the run phase will last as far as the file tells, and at most its limit: what faults are planned for."""
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
