"""Runs the scheduler package for real: governor, server and handlers as processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from harness.agent import protocol
from harness.errors import NeverReady, TargetError
from harness.history.records import AnyRecord, Audit, Event, Status
from harness.lifecycle.sizes import sizes
from harness.scenario.model import Scenario, World
from harness.targets.apscheduler.notes import Notes
from harness.targets.base import OpSpec, Place, PlaceKind, Reply, StopHow, StopResult, Target, TargetContext
from harness.targets.schedule_zero import (
    audits,
    credentials,
    deployment,
    living,
    mutants,
    operations,
    records,
    sockets,
    stores,
)
from harness.targets.schedule_zero.agent_folder import AgentFolder
from harness.targets.schedule_zero.api import ApiClient
from harness.targets.schedule_zero.control import Control
from harness.targets.schedule_zero.decoy import interpreters, write_decoy
from harness.targets.schedule_zero.fleet import Fleet
from harness.targets.schedule_zero.governor import SERVER, Addresses, GovernorProcess, end_tagged, kill_tagged
from harness.targets.schedule_zero.intruder import Intruder
from harness.targets.schedule_zero.living import Sightings
from harness.targets.schedule_zero.memory import MemoryJobs
from harness.targets.schedule_zero.options import (
    MOST_SERVERS,
    AwayArgs,
    HandlerOptions,
    IntrudeArgs,
    SchedulerOptions,
    TargetOptions,
)

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
        f"{name}{mark}{part}": PlaceKind.SOCKET if part else PlaceKind.PROCESS
        for mark in ("", *(str(number) for number in range(2, MOST_SERVERS + 1)))
        for name, part in (("governor", ""), ("scheduler", ""), ("scheduler", ".req"))
    } | {"store": PlaceKind.STORE}
    reserved: ClassVar[tuple[str, ...]] = (SERVER,)
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
        options = self._options = SchedulerOptions.model_validate(scenario.topology.scheduler)
        servers = [deployment.Configured(number, root) for number in range(1, options.servers + 1)]
        self._credentials = credentials.made_for(options.security, root, self._handlers)
        configure = partial(deployment.write, scenario, seed=seed, security=self._credentials.setting())
        base = self._base_environment(scenario, root)
        # Unix socket paths hold 107 bytes, and a report folder may lie deep:
        # the agents' sockets get a short place of their own.
        # These two are made when nothing can fail any more: who never had a target cannot close it.
        self._store = stores.store_of(options, root, self.run_tag)
        self._agents = AgentFolder()
        self._agent_dir = self._agents.path
        environment = protocol.child_environment(
            base,
            **self._store.variables,
            **{
                protocol.ENV_RUN: self.run_tag,
                protocol.ENV_DIR: str(self._agent_dir),
                protocol.ENV_JOURNAL: str(self._journals),
                protocol.ENV_PLUGINS: PLUGIN,
                protocol.ENV_MUTANT: context.mutant,
                protocol.ENV_SEED: str(seed),
            },
        )
        self._fleet = Fleet(
            [GovernorProcess(server, root, environment, self._agent_dir, self._logs) for server in servers], configure
        )
        self._api, self._anonymous = ApiClient(self._credentials.token), ApiClient()
        self._intruder = Intruder(self._anonymous, self._credentials)
        self._notes = Notes(self._recorder, durable=self._store.durable)
        self._operations = operations.Operations(self._api, self._notes, grace=options.misfire_grace)
        self._memory = MemoryJobs(self._api, self._recorder.to_scenario) if options.store == "memory" else None
        self._addresses: tuple[Addresses, ...] = ()
        self._turn = 0
        self._sightings = Sightings(self._recorder, self._fleet.processes)

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
        if not self._addresses:
            raise TargetError("the scheduler has not been started, or never told its addresses")
        return self._addresses[0]

    def _bases(self) -> list[str]:
        """The servers' APIs; each call begins with the next of them."""
        self._turn += 1
        first = self._turn % len(self._addresses)
        return [one.http for one in (*self._addresses[first:], *self._addresses[:first])]

    async def start(self) -> None:
        """Start the governor; returns when the API answers and every handler is connected."""
        deadline, begun = asyncio.get_running_loop().time() + self._setup, self._notes.now()
        await asyncio.to_thread(self._store.open)
        self._addresses = await self._fleet.start(deadline)
        await self._wait_for_handlers(len(self._handlers), deadline)
        self._notes.works(begun)
        await self._sightings.look()

    async def _wait_for_handlers(self, count: int, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while True:
            states = await self._handler_states() or {}
            connected = [name for name, status in states.items() if status == "Connected"]
            if len(connected) >= count:
                return
            self._fleet.require_alive("while its handlers were awaited")
            if loop.time() >= asked + 0.5:
                asked = loop.time()
                await self._refuse_the_hopeless()
            if loop.time() >= deadline:
                raise NeverReady(
                    f"waited for {count} connected handlers; seen: {states or 'none'}; "
                    f"log:\n{self._fleet.log_tail()}"
                )
            await asyncio.sleep(0.03)

    async def _refuse_the_hopeless(self) -> None:
        """Raise `NeverReady` for a process that its governor has given up: nobody need wait for that."""
        try:
            services = await self._control(2.0).ask("status")
        except TargetError:
            return
        given_up = [(name, info) for name, info in sorted(services.items()) if info.get("status") == "crashed"]
        if given_up:
            said = "; ".join(f"{name}: {info.get('last_error')}" for name, info in given_up)
            raise NeverReady(f"given up by the governor: {said}")

    async def _handler_states(self) -> dict[str, str] | None:
        """Status by handler, as that server says which knows the fewest; None when none answers."""
        listed = [one for one in await self._listed_handlers() if one is not None]
        told = [{entry["id"]: entry["status"] for entry in entries} for entries in listed]
        return min(told, key=lambda states: list(states.values()).count("Connected"), default=None)

    async def _listed_handlers(self) -> list[list[dict[str, Any]] | None]:
        urls = [one.http + "/api/handlers" for one in self._addresses]
        answers = await asyncio.gather(*(self._api.request("GET", url, timeout=PROBE_TIMEOUT) for url in urls))
        return [answer.body["handlers"] if answer.status is Status.OK else None for answer in answers]

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """Signal the governor; it ends its server and handlers. By force after `timeout` seconds."""
        await self._sightings.look()
        begun = self._notes.now()
        result = await self._fleet.stop(how, timeout, times)
        if result.forced:
            await asyncio.to_thread(kill_tagged, self.run_tag)
        self._killed = result.forced or how is StopHow.KILL
        self._notes.rests(begun, "kill" if self._killed else "stop")
        self._sightings.all_gone(result)
        return result

    async def call(self, op: str, args: Mapping[str, object], *, timeout: float) -> Reply:
        """Make one operation over the HTTP API."""
        if not self._addresses:
            return Reply(Status.FAIL, error="the scheduler is not running")
        if op in operations.LIFE:
            return await self._live_again(op, AwayArgs.model_validate(dict(args)).down)
        if op == operations.INTRUDE:
            return await self._intrude(IntrudeArgs.model_validate(dict(args)), timeout)
        reply = await self._operations.perform(self._bases(), op, args, timeout=timeout)
        if self._memory is not None and op == "job.submit" and reply.status is Status.OK:
            self._memory.accepted(reply.ref)
        return reply

    async def _intrude(self, args: IntrudeArgs, timeout: float) -> Reply:
        listed = next((entries for entries in await self._listed_handlers() if entries is not None), [])
        address = next((entry["address"] for entry in listed if entry["id"] == args.handler), "")
        if not address:
            return Reply(Status.INFO, error=f"nobody says where the handler {args.handler} is")
        return await self._intruder.attempt(args, self._bases(), self._reached().registration, address, timeout)

    def _control(self, timeout: float = 30.0) -> Control:
        return Control(self._reached().control, timeout=timeout, secure=self._credentials.curve())

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
        found = self._fleet.places()
        for place in list(found):
            if place.group == ("governor" if self._threads else "scheduler"):
                name = place.name.replace("governor", "scheduler") + ".req"
                found.append(Place(PlaceKind.SOCKET, name, "sockets", place.pid, place.started, control=place.control))
        if self._store.file is not None:
            found.append(Place(PlaceKind.STORE, "store", "stores", path=self._store.file))
        return found

    async def probe(self) -> Mapping[str, float]:
        """Connected handlers, jobs accepted but not done, and the size of each process."""
        if not self._addresses:
            return {}
        await self._sightings.look()
        states, numbers = await asyncio.gather(self._handler_states(), asyncio.to_thread(self._sizes))
        if states is not None:
            numbers["registered-handlers"] = float(sum(status == "Connected" for status in states.values()))
        if (backlog := await self._backlog()) is not None:
            numbers["backlog"] = float(backlog)
        return numbers

    def _sizes(self) -> dict[str, float]:
        return sizes({name: process.pid for name, process in self._fleet.processes()})

    async def _backlog(self) -> int | None:
        if self._memory is not None:
            return await self._memory.backlog(self.http_url)
        return await asyncio.to_thread(self._store.backlog)

    async def add_handler(self, name: str) -> None:
        """Have the governor start this handler of the topology; returns when it is connected."""
        await self._control().ask("add_handler", handler_id=name)
        await self._wait_for(name, connected=True)

    async def remove_handler(self, name: str) -> None:
        """Have the governor stop it and forget it; returns when its process has ended, too."""
        before = next((place for place in self._fleet.places() if place.name == name), None)
        await self._control().ask("remove_handler", handler_id=name)
        if before is not None:
            await living.ended(name, before.pid, before.started)
        await self._wait_for(name, connected=False)

    async def restart_handler(self, name: str) -> None:
        """Have the governor stop it and start it again."""
        await self._control().ask("restart_handler", handler_id=name)
        await self._wait_for(name, connected=True)

    async def restart_process(self, name: str) -> None:
        """Start a governor anew, as what supervises it would; returns when its server answers."""
        self._addresses = await self._fleet.restart(name, asyncio.get_running_loop().time() + self._setup)

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
        if not self._addresses or not self._fleet.running:
            return found
        listed = await self._listed_handlers()
        for entry in [entry for entries in listed for entry in entries or ()]:
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
        each = own * self._options.servers
        all_in_one = pools + own + each * len(self._handlers)
        return sockets.audit(
            self._fleet.places(), self._recorder.now, scheduler_sockets=pools, handler_sockets=each,
            governor_sockets=all_in_one if self._threads else own,
        )  # fmt: skip

    async def collect_files(self) -> Iterable[AnyRecord]:
        """Jobs from the store and executions from the handlers' journals, read by the harness itself."""

        def read() -> list[AnyRecord]:
            to_scenario = self._recorder.to_scenario
            return [*self._store.jobs(to_scenario), *records.read_journals(self._journals, to_scenario)]

        for governor in self._fleet.governors:
            for log in sorted((governor.directory / "logs").glob("*.log")):
                name = log.name if governor is self._fleet.first else f"{governor.directory.name}-{log.name}"
                await asyncio.to_thread(shutil.copyfile, log, self._logs / name)
        return await asyncio.to_thread(read)

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Processes, pid files, ports and the store, once everything should be gone."""
        found: list[AnyRecord] = [
            *await audits.audit(
                scope,
                self._recorder.now,
                run=self.run_tag,
                started=self._sightings.to_audit(scope),
                directories=[governor.directory for governor in self._fleet.governors],
                ports=sorted(self._sightings.ports),
                problems=self._store.problems,
                timeout=timeout,
                threads=self._threads,
                killed=self._killed,
            )
        ]
        found.append(interpreters(self._journals, scope, self._recorder.now()))
        # Ports are the system's again: the next cycle has its own, and these may be anybody's by then.
        self._sightings.ports.clear()
        return found

    async def close(self) -> None:
        """Kill whatever still belongs to the run, with the files that name it, and remove the agents' folder.

        Raises `TargetError` when some of the store stays, after all the rest.
        """
        async with contextlib.AsyncExitStack() as steps:  # the last first, and each whatever the one before it raised
            for one in (self._agents, self._anonymous, self._api):
                steps.callback(one.close)
            steps.push_async_callback(asyncio.to_thread, self._store.close)
            steps.callback(self._fleet.release)
            steps.push_async_callback(asyncio.to_thread, end_tagged, self.run_tag)
