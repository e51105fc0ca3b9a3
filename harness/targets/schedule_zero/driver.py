"""Runs the scheduler package for real: governor, server and handlers as processes of this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psutil
from pydantic import BaseModel

from harness.agent import protocol
from harness.errors import NeverReady, TargetError
from harness.history.records import AnyRecord, Audit, Event, Process, ProcessEvent, Status
from harness.scenario.model import Scenario, World
from harness.targets.apscheduler.notes import Notes
from harness.targets.base import OpSpec, Place, PlaceKind, Reply, StopHow, StopResult, Target, TargetContext
from harness.targets.schedule_zero import audits, deployment, mutants, operations, records, sockets
from harness.targets.schedule_zero.agent_folder import AgentFolder
from harness.targets.schedule_zero.api import ApiClient
from harness.targets.schedule_zero.control import Control
from harness.targets.schedule_zero.decoy import interpreters, write_decoy
from harness.targets.schedule_zero.governor import Addresses, GovernorProcess, kill_tagged
from harness.targets.schedule_zero.memory import MemoryJobs
from harness.targets.schedule_zero.options import AwayArgs, HandlerOptions, SchedulerOptions, TargetOptions

PLUGIN = "harness.targets.schedule_zero.hooks"
PROBE_TIMEOUT = 2.0
"""Seconds a health question may take; a slower answer counts as none."""


class ScheduleZeroDriver:
    """``driver: schedule_zero``."""

    name: ClassVar[str] = "schedule_zero"
    about: ClassVar[str] = "the scheduler of this repository: governor, server, handlers as real processes"
    worlds: ClassVar[tuple[World, ...]] = (World.REAL, World.SIM)
    options: ClassVar[type[BaseModel]] = TargetOptions
    scheduler_options: ClassVar[type[BaseModel]] = SchedulerOptions
    handler_options: ClassVar[type[BaseModel] | None] = HandlerOptions
    places: ClassVar[Mapping[str, PlaceKind]] = {
        "governor": PlaceKind.PROCESS,
        "scheduler": PlaceKind.PROCESS,
        "scheduler.req": PlaceKind.SOCKET,
        "store": PlaceKind.STORE,
    }
    ops: ClassVar[Mapping[str, OpSpec]] = operations.OPS
    methods: ClassVar[tuple[str, ...]] = ("echo", "fail", "sleep", "tick", "work")

    def require_mutant(self, name: str) -> None:
        """Raise `UsageError` for a mutant that does not exist."""
        mutants.require(name)

    def parts(self) -> Sequence[Any]:
        """What simulated processes of the scheduler must not share."""
        from harness.targets.schedule_zero.simulated import SharedModules

        return (SharedModules(),)

    def create(self, scenario: Scenario, context: TargetContext) -> Target:
        """A target whose files lie under the run's folder; nothing is started."""
        return ScheduleZeroTarget(scenario, context)


class ScheduleZeroTarget:
    """One deployment of the scheduler, from its configuration file to the search for what it left."""

    def __init__(self, scenario: Scenario, context: TargetContext) -> None:
        self._recorder = context.recorder
        self._handlers = scenario.topology.handler_names()
        self._setup = scenario.limits.setup
        self._threads, self._killed = scenario.target.governor.kind == "thread", False
        self.run_tag = uuid.UUID(int=context.rng.getrandbits(128)).hex + f"-{os.getpid()}"
        root = context.run_dir.absolute() / "target"
        self._logs = context.run_dir.absolute() / "logs"
        self._journals = self._logs / "agents"
        for folder in (root, self._logs, self._journals):
            folder.mkdir(parents=True, exist_ok=True)
        seed = context.rng.getrandbits(31)
        self._options = deployment.write(scenario, root / "deployment.yaml", seed=seed)
        self._database = root / "jobs.db" if self._options.store == "sqlite" else None
        base = self._base_environment(scenario, root)
        # Unix socket paths hold 107 bytes, and a report folder may lie deep:
        # the agents' sockets get a short place of their own.
        # It is made when nothing can fail any more: who never had a target cannot close it.
        self._agents = AgentFolder()
        self._agent_dir = self._agents.path
        environment = protocol.child_environment(
            base,
            **{
                protocol.ENV_RUN: self.run_tag,
                protocol.ENV_DIR: str(self._agent_dir),
                protocol.ENV_JOURNAL: str(self._journals),
                protocol.ENV_PLUGINS: PLUGIN,
                protocol.ENV_MUTANT: context.mutant,
                protocol.ENV_SEED: str(seed),
            },
        )
        self._governor = GovernorProcess(root, root / "deployment.yaml", environment, self._agent_dir, self._logs)
        self._api = ApiClient()
        self._notes = Notes(self._recorder, durable=self._database is not None)
        self._operations = operations.Operations(self._api, self._notes, grace=self._options.misfire_grace)
        self._memory = MemoryJobs(self._api, self._recorder.to_scenario) if self._database is None else None
        self._addresses: Addresses | None = None
        self._ports: set[int] = set()
        self._seen: dict[str, int] = {}

    @staticmethod
    def _base_environment(scenario: Scenario, root: Path) -> dict[str, str]:
        environment = dict(os.environ)
        if TargetOptions.model_validate(scenario.target.options).decoy_python:
            environment["PATH"] = os.pathsep.join([str(write_decoy(root / "decoy")), environment.get("PATH", "")])
        return environment

    @property
    def http_url(self) -> str:
        """Base URL of the scheduler's API; raises `TargetError` before it is known."""
        return self._reached().http

    @property
    def registration_address(self) -> str:
        """Where handlers register, ``tcp://127.0.0.1:PORT``."""
        return self._reached().registration

    def _reached(self) -> Addresses:
        if self._addresses is None:
            raise TargetError("the scheduler has not been started, or never told its addresses")
        return self._addresses

    async def start(self) -> None:
        """Start the governor; returns when the API answers and every handler is connected."""
        deadline, begun = asyncio.get_running_loop().time() + self._setup, self._notes.now()
        self._governor.spawn()
        self._addresses = await self._governor.wait_for_addresses(deadline)
        await self._wait_for_handlers(len(self._handlers), deadline)
        self._notes.works(begun)
        await self._note_processes()

    async def _wait_for_handlers(self, count: int, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while True:
            states = await self._handler_states() or {}
            connected = [name for name, status in states.items() if status == "Connected"]
            if len(connected) >= count:
                return
            self._governor.require_alive("while its handlers were awaited")
            if loop.time() >= asked + 0.5:
                asked = loop.time()
                await self._refuse_the_hopeless()
            if loop.time() >= deadline:
                raise NeverReady(
                    f"waited for {count} connected handlers; seen: {states or 'none'}; "
                    f"log:\n{self._governor.log_tail()}"
                )
            await asyncio.sleep(0.03)

    async def _refuse_the_hopeless(self) -> None:
        """Raise `NeverReady` for a process that its governor has given up: nobody need wait for that."""
        try:
            services = await Control(self._reached().control, timeout=2.0).ask("status")
        except TargetError:
            return
        given_up = [(name, info) for name, info in sorted(services.items()) if info.get("status") == "crashed"]
        if given_up:
            said = "; ".join(f"{name}: {info.get('last_error')}" for name, info in given_up)
            raise NeverReady(f"given up by the governor: {said}")

    async def _handler_states(self) -> dict[str, str] | None:
        """Status by handler; None when the server does not answer."""
        listed = await self._listed_handlers()
        return None if listed is None else {entry["id"]: entry["status"] for entry in listed}

    async def _listed_handlers(self) -> list[dict[str, Any]] | None:
        answer = await self._api.request("GET", self.http_url + "/api/handlers", timeout=PROBE_TIMEOUT)
        return answer.body["handlers"] if answer.status is Status.OK else None

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """Signal the governor; it ends its server and handlers. By force after `timeout` seconds."""
        await self._note_processes()
        begun = self._notes.now()
        result = await self._governor.stop(how, timeout, times)
        if result.forced:
            await asyncio.to_thread(kill_tagged, self.run_tag)
        self._killed = result.forced or how is StopHow.KILL
        self._notes.rests(begun, "kill" if self._killed else "stop")
        for name, pid in self._seen.items():
            code = result.code if name == "governor" else None
            self._recorder.append(
                Process(at=self._recorder.now(), name=name, pid=pid, event=ProcessEvent.EXITED, code=code)
            )
        self._seen.clear()
        return result

    async def call(self, op: str, args: Mapping[str, object], *, timeout: float) -> Reply:
        """Make one operation over the HTTP API."""
        if self._addresses is None:
            return Reply(Status.FAIL, error="the scheduler is not running")
        if op in operations.LIFE:
            return await self._live_again(op, AwayArgs.model_validate(dict(args)).down)
        reply = await self._operations.perform(self._addresses.http, op, args, timeout=timeout)
        if self._memory is not None and op == "job.submit" and reply.status is Status.OK:
            self._memory.accepted(reply.ref)
        return reply

    async def _live_again(self, op: str, down: float) -> Reply:
        """Stop or kill the whole deployment, and start it `down` seconds later."""
        try:
            if op == "scheduler.kill":
                await asyncio.to_thread(kill_tagged, self.run_tag)
            await self.stop(StopHow.KILL if op == "scheduler.kill" else StopHow.TERM)
            await asyncio.sleep(down)
            await self.start()
        except TargetError as error:
            return Reply(Status.FAIL, error=str(error))
        return Reply(Status.OK)

    def places(self) -> Sequence[Place]:
        """Living processes, the REQ sockets of the server, and the store."""
        found = self._governor.places()
        for place in list(found):
            if place.name == ("governor" if self._threads else "scheduler"):
                found.append(
                    Place(PlaceKind.SOCKET, "scheduler.req", "sockets", place.pid, place.started, control=place.control)
                )
        if self._database is not None:
            found.append(Place(PlaceKind.STORE, "store", "stores", path=self._database))
        return found

    async def probe(self) -> Mapping[str, float]:
        """Connected handlers, jobs accepted but not done, and the size of each process."""
        if self._addresses is None:
            return {}
        await self._note_processes()
        states, numbers = await asyncio.gather(self._handler_states(), asyncio.to_thread(self._sizes))
        if states is not None:
            numbers["registered-handlers"] = float(sum(status == "Connected" for status in states.values()))
        if (backlog := await self._backlog()) is not None:
            numbers["backlog"] = float(backlog)
        return numbers

    async def _backlog(self) -> int | None:
        if self._memory is not None:
            return await self._memory.backlog(self.http_url)
        assert self._database is not None
        return await asyncio.to_thread(records.backlog, self._database)

    def _sizes(self) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for name, process in self._governor.processes():
            try:
                with process.oneshot():
                    numbers[f"fds@{name}"] = float(process.num_fds())
                    numbers[f"threads@{name}"] = float(process.num_threads())
                    # Last: nobody knows how much memory a simulated process would need.
                    numbers[f"rss@{name}"] = float(process.memory_info().rss)
            except psutil.Error:
                continue
        return numbers

    async def _note_processes(self) -> None:
        """Record which processes came and went since the last look, and the ports they listen on."""
        living = await asyncio.to_thread(lambda: dict(self._governor.processes()))
        now = self._recorder.now()
        for name, pid in list(self._seen.items()):
            if name not in living or living[name].pid != pid:
                self._recorder.append(Process(at=now, name=name, pid=pid, event=ProcessEvent.EXITED))
                del self._seen[name]
        for name, process in living.items():
            if name not in self._seen:
                self._seen[name] = process.pid
                self._recorder.append(Process(at=now, name=name, pid=process.pid, event=ProcessEvent.STARTED))
                self._ports |= await asyncio.to_thread(_listening, process)

    async def add_handler(self, name: str) -> None:
        """Have the governor start this handler of the topology; returns when it is connected."""
        await Control(self._reached().control).ask("add_handler", handler_id=name)
        await self._wait_for(name, connected=True)

    async def remove_handler(self, name: str) -> None:
        """Have the governor stop it and forget it; returns when its process has ended, too."""
        process = dict(self._governor.processes()).get(name)
        await Control(self._reached().control).ask("remove_handler", handler_id=name)
        if process is not None:
            await _ended(name, process)
        await self._wait_for(name, connected=False)

    async def restart_handler(self, name: str) -> None:
        """Have the governor stop it and start it again."""
        await Control(self._reached().control).ask("restart_handler", handler_id=name)
        await self._wait_for(name, connected=True)

    async def _wait_for(self, name: str, *, connected: bool, timeout: float = 20.0) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while ((await self._handler_states() or {}).get(name) == "Connected") is not connected:
            if loop.time() >= deadline:
                raise TargetError(
                    f"waited {timeout:g} s for {name} to be {'connected' if connected else 'gone'}; "
                    f"seen: {await self._handler_states()}"
                )
            await asyncio.sleep(0.03)

    async def collect(self) -> Iterable[AnyRecord]:
        """What can only be asked while it lives: re-registrations, and the sockets open in each process."""
        found: list[AnyRecord] = []
        if self._addresses is None or not self._governor.running:
            return found
        for entry in await self._listed_handlers() or []:
            if entry["registrations"] > 1:
                detail = {"registrations": entry["registrations"]}
                found.append(
                    Event(at=self._recorder.now(), name="handler-reregistered", place=entry["id"], detail=detail)
                )
        found.append(await asyncio.to_thread(self._open_sockets))
        if self._memory is not None:
            found += await self._memory.records(self.http_url)
        return found

    def _open_sockets(self) -> Audit:
        pools, own = len(self._handlers) * self._options.per_handler_jobs, sockets.HANDLER_SOCKETS
        all_in_one = pools + own * (1 + len(self._handlers))
        return sockets.audit(
            self._governor.places(), self._recorder.now, scheduler_sockets=pools,
            governor_sockets=all_in_one if self._threads else own,
        )  # fmt: skip

    async def collect_files(self) -> Iterable[AnyRecord]:
        """Jobs from the store and executions from the handlers' journals, read by the harness itself."""

        def read() -> list[AnyRecord]:
            found: list[AnyRecord] = []
            if self._database is not None:
                found += records.read_jobs(self._database, self._recorder.to_scenario)
            found += records.read_journals(self._journals, self._recorder.to_scenario)
            return found

        for log in sorted((self._governor.directory / "logs").glob("*.log")):
            await asyncio.to_thread(shutil.copyfile, log, self._logs / log.name)
        return await asyncio.to_thread(read)

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Processes, pid files, ports and the store, once everything should be gone."""
        found: list[AnyRecord] = [
            *await audits.audit(
                scope,
                self._recorder.now,
                run=self.run_tag,
                root=self._governor.root,
                ports=sorted(self._ports),
                database=self._database,
                timeout=timeout,
                threads=self._threads,
                killed=self._killed,
            )
        ]
        found.append(interpreters(self._journals, scope, self._recorder.now()))
        # Ports are the system's again: the next cycle has its own, and these may be anybody's by then.
        self._ports.clear()
        return found

    async def close(self) -> None:
        """Kill whatever still carries the run's tag, and remove the agents' folder."""
        await asyncio.to_thread(kill_tagged, self.run_tag)
        self._governor.release()
        self._api.close()
        self._agents.close()


async def _ended(name: str, process: psutil.Process, *, timeout: float = 3.0) -> None:
    """Wait for a process to end; raises `TargetError` when it has not within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while _lives(process):
        if loop.time() >= deadline:
            raise TargetError(
                f"the process of {name} (pid {process.pid}) still runs {timeout:g} s after {name} was removed"
            )
        await asyncio.sleep(0.03)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _listening(process: psutil.Process) -> set[int]:
    try:
        return {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return set()
