"""A governor object of this process as a `Lifecycle`, so that a test can drive it like any target."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil

from harness import descent
from harness.errors import FaultError, TargetError
from harness.faults.base import Alone
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.faults.worker import TooLong, in_thread
from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, Audit, Status
from harness.lifecycle import postconditions
from harness.lifecycle.sizes import sizes
from harness.targets.base import PartEnd, Place, PlaceKind, Reply, StopHow, StopResult

T = TypeVar("T")
CALL_WITHIN = 60.0
"""Seconds one call of the governor may take."""
READ_ONLY = ("status", "health_check", "list_handlers", "get_metrics")
"""Methods of a governor that an ``op`` step may call."""


class InfoLike(Protocol):
    """What a governor tells of one service."""

    @property
    def pid(self) -> int | None:
        """The process, or None for a thread or for what does not run."""

    @property
    def status(self) -> Any:
        """``running``, ``stopped``, ``crashed`` or ``restarting``, as text or as an enum of text."""


class HandlerConfigLike(Protocol):
    """The configuration of one handler."""

    @property
    def handler_id(self) -> str:
        """Its name."""


class GovernorLike(Protocol):
    """The interface of a governor (``GovernorBase`` of the user's documents), as far as it is driven."""

    def start(self) -> bool: ...  # noqa: D102
    def stop(self, timeout: float = ..., /) -> bool: ...  # noqa: D102
    def status(self) -> Mapping[str, InfoLike]: ...  # noqa: D102
    def add_handler(self, config: Any, /) -> bool: ...  # noqa: D102
    def remove_handler(self, handler_id: str, /) -> bool: ...  # noqa: D102
    def restart_handler(self, handler_id: str, /) -> bool: ...  # noqa: D102
    def list_handlers(self) -> Sequence[str]: ...  # noqa: D102
    def health_check(self) -> Mapping[str, bool]: ...  # noqa: D102


class GovernorLifecycle:
    """Drives `governor` from threads of its own, each call with a deadline; what answers False has failed.

    `handlers` can be added by name. `pids` is the folder of its pid files, if it keeps any. Every process that
    the governor ever told of, with its children, is looked for after a stop, and all that carry `mark` (see
    `harness.descent`; 0 for none).
    """

    def __init__(
        self,
        governor: GovernorLike,
        recorder: Recorder,
        handlers: Sequence[HandlerConfigLike] = (),
        *,
        pids: Path | None = None,
        mark: int = 0,
    ) -> None:
        self._governor = governor
        self._recorder = recorder
        self._configs = {config.handler_id: config for config in handlers}
        self._pids = pids
        self._mark = mark
        self._seen: dict[int, float] = {}
        self._ports: set[int] = set()

    async def start(self) -> None:
        """Raises `TargetError` with what is not well when ``start()`` answers False."""
        if not await self._ask(self._governor.start, "start()"):
            health = dict(await self._ask(self._governor.health_check, "health_check()"))
            raise TargetError(f"start() answered False; health_check() says {health}")
        await self._ask(self._remember, "a look at its processes")

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """``stop(timeout)``, from `times` threads at once.

        `StopHow.KILL` kills every one of its processes first, the other signals mean the same as TERM. The code is 0
        when every ``stop`` answered True, else 1. How each process ended is told where ``status()`` has an
        ``exit_code``.
        """
        await self._ask(self._remember, "a look at its processes")
        ran = [place.name for place in await self._ask(self.places, "status()")]
        begin = time.monotonic()
        if how is StopHow.KILL:
            await self._ask(self._kill_all, "SIGKILL to its processes")
        stops = [self._ask(lambda: self._governor.stop(timeout), "stop()", timeout + 10.0) for _ in range(times)]
        stopped = await asyncio.gather(*stops)
        took, code = time.monotonic() - begin, 0 if all(stopped) else 1
        parts = {} if how is StopHow.KILL else await self._ask(lambda: self._ends(ran, took), "status()")
        return StopResult(took, code, forced=False, parts=parts)

    def _ends(self, ran: Sequence[str], took: float) -> dict[str, PartEnd]:
        """How each service that `ran` has ended, where the governor knows."""
        infos = self._governor.status()
        codes = {name: infos[name].exit_code for name in ran if hasattr(infos.get(name), "exit_code")}  # type: ignore[attr-defined]
        killed = {name: "killed" if code == -signal.SIGKILL else "" for name, code in codes.items()}
        return {name: PartEnd(code, killed[name], after=round(took, 3)) for name, code in codes.items()}

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Call one of `READ_ONLY`; anything else fails."""
        if op not in READ_ONLY or not hasattr(self._governor, op):
            return Reply(
                Status.FAIL, error=f"a governor has no operation {op!r}; there are: {', '.join(READ_ONLY)}"
            )
        try:
            answer = await self._ask(lambda: getattr(self._governor, op)(**args), f"{op}()", timeout)
        except TargetError as error:
            return Reply(Status.INFO, error=str(error))
        return Reply(Status.OK, data={"answer": answer})

    def places(self) -> Sequence[Place]:
        """Its services that are alive, the server as a process, the others as handlers."""
        handlers = list(self._governor.list_handlers())
        found = []
        for name, info in self._governor.status().items():
            if info.pid is not None and postconditions.runs(info.pid):
                kind = PlaceKind.HANDLER if name in handlers else PlaceKind.PROCESS
                group = "handlers" if kind is PlaceKind.HANDLER else name
                found.append(Place(kind, name, group, info.pid, psutil.Process(info.pid).create_time()))
        return found

    async def probe(self) -> Mapping[str, float]:
        """Healthy handlers, and the size of each process and of this one (``rss@harness``, bytes)."""
        return await self._ask(self._numbers, "health_check()")

    async def add_handler(self, name: str) -> None:
        """Add the handler that was configured under that name."""
        if name not in self._configs:
            raise TargetError(f"no configuration for {name!r}; there are: {', '.join(self._configs) or 'none'}")
        await self._true(lambda: self._governor.add_handler(self._configs[name]), f"add_handler({name})")

    async def remove_handler(self, name: str) -> None:
        """Raises `TargetError` when it answers False."""
        await self._ask(self._remember, "a look at its processes")
        await self._true(lambda: self._governor.remove_handler(name), f"remove_handler({name})")

    async def restart_handler(self, name: str) -> None:
        """Raises `TargetError` when it answers False."""
        await self._ask(self._remember, "a look at its processes")
        await self._true(lambda: self._governor.restart_handler(name), f"restart_handler({name})")

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Look for its processes, the ports they listened on, and pid files; wait for them to go, `timeout`
        seconds at most.
        """
        searches: list[tuple[str, Callable[[], postconditions.Found]]] = [
            ("processes", self._left),
            ("ports", lambda: postconditions.bound_ports(self._ports)),
        ]
        if self._pids is not None:
            searches.append(("pidfiles", lambda folder=self._pids: postconditions.pid_files(folder)))  # type: ignore[misc]
        deadline = asyncio.get_running_loop().time() + timeout
        return [await self._audit(name, scope, search, deadline) for name, search in searches]

    def _left(self) -> postconditions.Found:
        looked_at, found = postconditions.survivors(self._seen.items())
        strangers = [(pid, 0.0) for pid in descent.carriers(self._mark) if pid not in self._seen] if self._mark else []
        more = postconditions.survivors(strangers)[1]
        # What this very process has started besides may live: only the governor's services are its business.
        return looked_at, [*found, *(one for one in more if one.get("parent") != os.getpid())]

    async def _audit(
        self, name: str, scope: str, search: Callable[[], postconditions.Found], deadline: float
    ) -> Audit:
        while True:
            looked_at, found = await self._ask(search, f"the search for {name}")
            if not found or asyncio.get_running_loop().time() >= deadline:
                return Audit(
                    at=self._recorder.now(), name=name, scope=scope, looked_at=looked_at, found=tuple(found)
                )
            await asyncio.sleep(0.05)

    def _remember(self) -> None:
        """Note every process of the governor with its children, and the ports they listen on."""
        for place in self.places():
            try:
                process = psutil.Process(place.pid)
                family = [process, *process.children(recursive=True)]
                self._seen.update({member.pid: member.create_time() for member in family})
            except psutil.Error:
                continue
            self._ports.update(port for member in family for port in postconditions.listening_ports(member))

    def _kill_all(self) -> None:
        for place in self.places():
            try:
                ProcessKill(place, KillArgs(), surroundings=Alone()).inject()
            except FaultError as error:
                if postconditions.runs(place.pid, place.started):
                    raise TargetError(str(error)) from error

    def _numbers(self) -> dict[str, float]:
        health = self._governor.health_check()
        numbers = {
            "registered-handlers": float(sum(bool(health.get(name)) for name in self._governor.list_handlers()))
        }
        return numbers | sizes({"harness": os.getpid()} | {place.name: place.pid for place in self.places()})

    async def _true(self, call: Callable[[], bool], what: str) -> None:
        if not await self._ask(call, what):
            raise TargetError(f"{what} answered False")

    async def _ask(self, call: Callable[[], T], what: str, timeout: float | None = None) -> T:
        within = CALL_WITHIN if timeout is None else timeout
        try:
            return await in_thread(call, timeout=within, name=what)
        except TooLong:
            raise TargetError(f"waited {within:g} s for {what} of the governor") from None
