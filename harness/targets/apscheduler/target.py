"""One scheduler under test, in a process of its own or in a thread of this one."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ValidationError

from harness.errors import TargetError, UsageError
from harness.faults.base import RUN_TAG
from harness.history.records import AnyRecord, Status
from harness.lifecycle.sizes import sizes
from harness.scenario.model import Scenario
from harness.targets.apscheduler import audits, moments, operations, records, stores
from harness.targets.apscheduler.host import Settings
from harness.targets.apscheduler.life import Life
from harness.targets.apscheduler.links import Gone
from harness.targets.apscheduler.notes import Notes
from harness.targets.apscheduler.options import (
    AddTriggeredArgs,
    ApschedulerOptions,
    ApschedulerTargetOptions,
    DownArgs,
    JobArgs,
)
from harness.targets.base import Place, PlaceKind, Reply, StopHow, StopResult, TargetContext

_SIGNALS = {StopHow.TERM: signal.SIGTERM, StopHow.INT: signal.SIGINT, StopHow.QUIT: signal.SIGTERM}
_LIMIT = 30.0
"""Seconds an operation of the scheduler's life may take besides its ``down``."""


class ApschedulerTarget:
    """One scheduler through all its lives: it may be stopped, killed and started again."""

    def __init__(self, scenario: Scenario, context: TargetContext) -> None:
        if scenario.topology.handlers:
            raise UsageError("the driver apscheduler has no handlers: its jobs run inside the scheduler")
        self._recorder = context.recorder
        self._options = ApschedulerTargetOptions.model_validate(scenario.target.options)
        self._scheduler = ApschedulerOptions.model_validate(scenario.topology.scheduler)
        self.run_tag = uuid.UUID(int=context.rng.getrandbits(128)).hex + f"-{os.getpid()}"
        root = context.run_dir.absolute()
        self._folder, self._logs = root / "target", root / "logs"
        for folder in (self._folder, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._notes = Notes(self._recorder, durable=self._scheduler.durable)
        self._life = Life(
            self._settings(context.mutant),
            self._notes,
            in_thread=self._options.host == "thread",
            environment={**os.environ, RUN_TAG: self.run_tag},
            logs=self._logs,
            setup=scenario.limits.setup,
            governor=scenario.target.governor,
        )
        self._pending: list[Mapping[str, Any]] = []
        self._count = 0

    def _settings(self, mutant: str) -> Settings:
        told = self._scheduler
        return Settings(
            folder=str(self._folder),
            journal="",
            factory=self._options.factory,
            store=told.store,
            identity=told.identity,
            lease=told.lease,
            max_jobs=told.max_jobs,
            cleanup=told.cleanup,
            connections=told.connections,
            mutant=mutant,
        )

    async def start(self) -> None:
        """Start the scheduler; returns when it works."""
        await self._life.begin()

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """End it by a signal, or in a thread by a word; by force after `timeout` seconds."""
        if how is StopHow.KILL and self._life.pid:
            return await self._life.kill()
        return await self._life.end(_SIGNALS.get(how, signal.SIGTERM), timeout=timeout, times=times)

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Make one operation; what its host does not answer within `timeout` seconds may still take effect."""
        try:
            parsed = operations.OPS[op].args.model_validate(dict(args))
            if op in operations.LIFE:
                assert isinstance(parsed, BaseModel)
                return await self._live(op, parsed)
            return await self._ask(op, self._question(parsed), timeout)
        except (ValidationError, ValueError) as error:
            return Reply(Status.FAIL, error=str(error))

    def _question(self, parsed: BaseModel) -> dict[str, Any]:
        if not isinstance(parsed, AddTriggeredArgs | JobArgs):
            return parsed.model_dump()
        self._count += isinstance(parsed, AddTriggeredArgs)
        grace = self._scheduler.misfire_grace
        return operations.question(parsed, name=f"s{self._count}", now=moments.wall(), grace=grace)

    async def _ask(self, op: str, args: Mapping[str, Any], timeout: float) -> Reply:
        note = self._notes.begin(op, args)
        try:
            async with asyncio.timeout(timeout):
                answer = await self._life.ask(op, args)
        except TimeoutError:
            reply = Reply(Status.INFO, error=f"no answer within {timeout:g} s")
        except Gone as error:
            known = Status.INFO if self._life.ever_up(note) else Status.FAIL
            reply = Reply(known, error=str(error))
        else:
            status = Status.OK if answer["ok"] else Status.FAIL
            reply = Reply(status, str(answer.get("ref", "")), str(answer.get("error", "")))
        self._notes.end(op, args, reply, note)
        return reply

    async def _live(self, op: str, args: BaseModel) -> Reply:
        """Stop, start, restart or kill it."""
        try:
            if op == "scheduler.kill":
                await self._life.kill()
            elif op != "scheduler.start":
                await self._life.end(signal.SIGTERM, timeout=_LIMIT)
            down = args.down if isinstance(args, DownArgs) else None
            if op == "scheduler.start" or op == "scheduler.restart" or down is not None:
                await asyncio.sleep(down or 0.0)
                await self._life.begin()
        except TargetError as error:
            return Reply(Status.FAIL, error=str(error))
        return Reply(Status.OK)

    def places(self) -> Sequence[Place]:
        """The scheduler's process, where it has one, and its store, where that is a file."""
        found = []
        if self._life.pid:
            started = _started(self._life.pid)
            found.append(Place(PlaceKind.PROCESS, "scheduler", pid=self._life.pid, started=started))
        if (database := self._database) is not None:
            found.append(Place(PlaceKind.STORE, "store", "stores", path=database))
        return found

    @property
    def _database(self) -> Path | None:
        path = self._folder / stores.FILE
        return path if self._scheduler.store == "sqlite" and not self._options.factory else None

    async def probe(self) -> Mapping[str, float]:
        """Jobs that the store holds, and the size of the process; nothing while it is down."""
        if not self._life.up:
            return {}
        try:
            answer = await self._life.ask("backlog", {})
        except TargetError:
            return {}
        if not answer["ok"]:
            return {}
        numbers = {"registered-handlers": 0.0, "backlog": float(answer["backlog"])}
        if self._life.pid:
            numbers |= sizes({"scheduler": self._life.pid})
        return numbers

    async def add_handler(self, name: str) -> None:
        """Refuse: there are none."""
        raise TargetError(f"the driver apscheduler has no handlers, so {name} cannot be added")

    async def remove_handler(self, name: str) -> None:
        """Refuse: there are none."""
        raise TargetError(f"the driver apscheduler has no handlers, so {name} cannot be removed")

    async def restart_handler(self, name: str) -> None:
        """Refuse: there are none."""
        raise TargetError(f"the driver apscheduler has no handlers, so {name} cannot be restarted")

    async def collect(self) -> Iterable[AnyRecord]:
        """Nothing yet, but the jobs that still wait are remembered for `collect_files`."""
        if self._life.up:
            answer = await self._life.ask("pending", {})
            self._pending = [{**job, "kind": "pending", "mono": answer["mono"]} for job in answer.get("jobs", ())]
        return ()

    async def collect_files(self) -> Iterable[AnyRecord]:
        """Jobs and executions, from what each life of the scheduler wrote down."""
        paths = self._life.journals
        return await asyncio.to_thread(
            lambda: list(records.read(paths, self._pending, self._recorder.to_scenario))
        )

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Processes of this run that still live, and whether the store can be read."""
        return await audits.audit(
            scope,
            self._recorder.now,
            run=self.run_tag,
            lives=len(self._life.journals),
            database=self._database,
            timeout=timeout,
        )

    async def close(self) -> None:
        """Kill what is left."""
        await self._life.close()


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0
