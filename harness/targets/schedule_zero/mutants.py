"""The scheduler broken on purpose: each mutant brings one defect into its processes, so that a scenario can be seen to
fail.

A mutant is applied inside each process of the target by the agent, before the scheduler's own code runs, and patches
that code in one place. `REGISTRY` tells what each one breaks. Nothing here is reachable in a run that names no mutant.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from harness.errors import UsageError
from harness.targets.schedule_zero import mutants_of_doors as mutants_of_doors
from harness.targets.schedule_zero import mutants_of_jobs as mutants_of_jobs
from harness.targets.schedule_zero import mutants_of_lives as mutants_of_lives
from harness.targets.schedule_zero import mutants_of_schedules as mutants_of_schedules
from harness.targets.schedule_zero.mutant_registry import REGISTRY as REGISTRY
from harness.targets.schedule_zero.mutant_registry import mutant as _mutant
from harness.targets.schedule_zero.mutant_registry import watch

MUTANTS = (
    __name__,
    *(one.__name__ for one in (mutants_of_doors, mutants_of_jobs, mutants_of_lives, mutants_of_schedules)),
)
"""The modules whose functions are mutants' code."""


def apply(name: str, met: Callable[[], object] = lambda: None) -> None:
    """Break this process as `name` says; raises `UsageError` for a mutant that does not exist.

    `met` is called once, when code that the mutant has put in is run for the first time.
    """
    require(name)
    REGISTRY[name]()
    if not watch(MUTANTS, met):
        met()  # what is broken is no function: nobody can tell


def require(name: str) -> None:
    """Raise `UsageError` unless there is a mutant called `name`."""
    if name not in REGISTRY:
        raise UsageError(f"there is no mutant {name!r} of schedule_zero; there are: {', '.join(sorted(REGISTRY))}")


def about() -> dict[str, str]:
    """What each mutant breaks, by name."""
    return {name: (function.__doc__ or "").strip().splitlines()[0] for name, function in sorted(REGISTRY.items())}


@_mutant("efsm-not-recovered")
def _efsm_not_recovered() -> None:
    """A REQ socket that refuses (EFSM) is kept and tried again, so it refuses for ever."""
    from schedule_zero import zmq_client
    from schedule_zero.errors import Disconnected

    def converse(self: Any, call: Any) -> Any:
        try:
            return self._exchange(call)
        except zmq_client._Refused as refusal:
            raise Disconnected(f"{call.method} to {self.name}: {refusal}") from refusal.error

    zmq_client.ZMQClient._converse = converse  # type: ignore[method-assign]


@_mutant("socket-not-closed")
def _socket_not_closed() -> None:
    """A socket that is replaced is not closed."""
    from schedule_zero.zmq_client import ZMQClient

    leaked: list[Any] = []

    def drop(self: Any) -> None:
        leaked.append(self._socket)
        self._socket = None

    ZMQClient._drop = drop  # type: ignore[method-assign]


@_mutant("receive-without-deadline")
def _receive_without_deadline() -> None:
    """A caller waits for its answer without end, also when its handler is dead."""
    import zmq

    from schedule_zero.zmq_client import ZMQClient

    receive = ZMQClient._receive

    def wait(self: Any, socket: Any, call: Any) -> bytes:
        if call.method in ("ping", "register", "report_status", "unregister"):
            return receive(self, socket, call)
        socket.setsockopt(zmq.RCVTIMEO, -1)
        return bytes(socket.recv())

    ZMQClient._receive = wait  # type: ignore[method-assign]


@_mutant("lifeline-ignored")
def _lifeline_ignored() -> None:
    """Server and handlers do not notice that their governor is dead."""
    from schedule_zero.lifeline import Lifeline

    Lifeline.start = lambda self: None  # type: ignore[method-assign]


@_mutant("pid-file-kept")
def _pid_file_kept() -> None:
    """Pid files are never removed."""
    from schedule_zero.pidfile import PidFile

    PidFile.remove = lambda self: None  # type: ignore[method-assign]


@_mutant("python-from-path")
def _python_from_path() -> None:
    """Children are run by the first python on PATH."""
    from schedule_zero import launch

    vars(launch)["sys"] = SimpleNamespace(executable=shutil.which("python3"))


@_mutant("lock-file-kept")
def _lock_file_kept() -> None:
    """A deployment counts as governed for as long as its lock file exists."""
    from schedule_zero.deployment_lock import DeploymentLock, GovernorAlreadyRunning

    acquire = DeploymentLock.acquire

    def take(self: Any) -> None:
        if self.path.exists():
            raise GovernorAlreadyRunning(self.deployment, None)
        acquire(self)

    DeploymentLock.acquire = take  # type: ignore[method-assign]


@_mutant("second-stop-aborts")
def _second_stop_aborts() -> None:
    """A second stop request in the middle of a stop breaks it off."""
    from schedule_zero.governor_run import ForegroundGovernor

    request_stop = ForegroundGovernor.request_stop

    def abort(self: Any) -> None:
        if self.stopping:
            os._exit(1)
        request_stop(self)

    ForegroundGovernor.request_stop = abort  # type: ignore[method-assign]


@_mutant("every-tenth-job-dropped")
def _every_tenth_job_dropped() -> None:
    """Every tenth job is recorded as done although no handler was asked."""
    from schedule_zero import job_executor
    from schedule_zero.execution_log import Outcome

    attempt = job_executor.JobExecutor._attempt
    count = 0

    async def drop(self: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count % 10 == 0:
            return Outcome.SUCCESS, None, None
        return await attempt(self, *args)

    job_executor.JobExecutor._attempt = drop  # type: ignore[method-assign,assignment]


@_mutant("accepted-not-stored")
def _accepted_not_stored() -> None:
    """Every tenth job is accepted and forgotten."""
    import uuid

    from schedule_zero.service import SchedulerService

    run_now = SchedulerService.run_now
    count = 0

    async def forget(self: Any, request: Any, **options: Any) -> str:
        nonlocal count
        count += 1
        return str(uuid.uuid4()) if count % 10 == 0 else await run_now(self, request, **options)

    SchedulerService.run_now = forget  # type: ignore[method-assign]


@_mutant("loop-blocked")
def _loop_blocked() -> None:
    """Each request blocks the server's event loop for 150 ms."""
    from schedule_zero.service import SchedulerService

    run_now = SchedulerService.run_now

    async def block(self: Any, request: Any, **options: Any) -> str:
        time.sleep(0.15)  # noqa: ASYNC251 - blocking the loop is the defect
        return await run_now(self, request, **options)

    SchedulerService.run_now = block  # type: ignore[method-assign]


@_mutant("handler-not-stopped")
def _handler_not_stopped() -> None:
    """A removed handler is forgotten, and its process left running."""
    from schedule_zero.governed import Governed

    kept: list[Any] = []

    def leave(self: Any) -> None:
        from schedule_zero.governor_base import ProcessStatus

        if threading.current_thread() is threading.main_thread():
            retire(self)
            return
        kept.append(self)
        self.status = ProcessStatus.STOPPED

    retire, finish = Governed.retire, Governed.finish
    Governed.retire = leave  # type: ignore[method-assign]

    def forget(self: Any, *args: Any, **options: Any) -> bool:
        return self in kept or finish(self, *args, **options)

    Governed.finish = forget  # type: ignore[method-assign]


@_mutant("never-restarted")
def _never_restarted() -> None:
    """A process that ended by itself is not started again."""
    from schedule_zero.restart_policy import Restarts

    Restarts.delay_after = lambda self, exit_code, uptime: None  # type: ignore[method-assign]


@_mutant("never-retried")
def _never_retried() -> None:
    """A call that failed is not made again."""
    from schedule_zero.job_executor import JobExecutor

    JobExecutor._again = staticmethod(lambda call, outcome, number, most: False)  # type: ignore[method-assign]


@_mutant("handler-forgets-requests")
def _handler_forgets_requests() -> None:
    """A handler does not remember what it was asked, so that a repeated request runs again."""
    from schedule_zero.handler_calls import CallMemory, Claim, Decision

    def claim(self: Any, request_id: str | None, method: str, route: list[bytes], size: int = 0) -> Decision:
        self._by_id.pop(request_id, None)
        return Decision(Claim.RUN, self._begin(request_id, method, route, size))

    CallMemory.claim = claim  # type: ignore[method-assign]


@_mutant("running-calls-not-joined")
def _running_calls_not_joined() -> None:
    """A handler answers a repeated request from its record, but runs it again while the first still runs."""
    from schedule_zero.handler_calls import CallMemory, Claim, Decision

    claim = CallMemory.claim

    def not_joined(self: Any, request_id: str | None, method: str, route: list[bytes], size: int = 0) -> Decision:
        known = self._by_id.get(request_id)
        if known is not None and known.answer is None:
            return Decision(Claim.RUN, self._begin(request_id, method, route, size))
        return claim(self, request_id, method, route, size)

    CallMemory.claim = not_joined  # type: ignore[method-assign]


@_mutant("busy-store-ignored")
def _busy_store_ignored() -> None:
    """A job is accepted although the store was too busy to take it."""
    import asyncio
    import uuid

    from schedule_zero.service import SchedulerService

    run_now = SchedulerService.run_now

    async def accept(self: Any, request: Any, **options: Any) -> str:
        try:
            return await asyncio.wait_for(run_now(self, request, **options), 1.0)
        except TimeoutError:
            return str(uuid.uuid4())

    SchedulerService.run_now = accept  # type: ignore[method-assign]


@_mutant("trouble-remembered")
def _trouble_remembered() -> None:
    """A store that was in trouble is taken to be in trouble until a write succeeds, and health tries none."""
    from schedule_zero.database import Database

    probe = Database.probe

    async def remember(self: Any, timeout: float = 0.25) -> str | None:
        return self.trouble or await probe(self, timeout)

    Database.probe = remember  # type: ignore[method-assign]


@_mutant("mostly-refused")
def _mostly_refused() -> None:
    """Nine of ten jobs are refused as if the store were busy (503)."""
    from schedule_zero.database import StoreBusy
    from schedule_zero.service import SchedulerService

    run_now = SchedulerService.run_now
    count = 0

    async def refuse(self: Any, request: Any, **options: Any) -> str:
        nonlocal count
        count += 1
        if count % 10:
            raise StoreBusy("told to refuse")
        return await run_now(self, request, **options)

    SchedulerService.run_now = refuse  # type: ignore[method-assign]


@_mutant("wrong-handler")
def _wrong_handler() -> None:
    """Every job is run by h1, whoever it was for."""
    from schedule_zero.handler_registry import RegistryManager

    borrow = RegistryManager.borrow

    def at_h1(self: Any, handler_id: str, *args: Any, **options: Any) -> Any:
        return borrow(self, "h1", *args, **options)

    RegistryManager.borrow = at_h1  # type: ignore[method-assign]


@_mutant("descriptors-leaked")
def _descriptors_leaked() -> None:
    """Each job leaves a descriptor open in the server."""
    from schedule_zero.service import SchedulerService

    run_now = SchedulerService.run_now

    async def leak(self: Any, request: Any, **options: Any) -> str:
        for _ in range(4):
            os.open(os.devnull, os.O_RDONLY)
        return await run_now(self, request, **options)

    SchedulerService.run_now = leak  # type: ignore[method-assign]


@_mutant("every-second-fire-skipped")
def _every_second_fire_skipped() -> None:
    """An interval schedule fires every other time only."""
    from apscheduler.triggers.interval import IntervalTrigger

    following = IntervalTrigger.next

    def skip(self: Any) -> Any:
        following(self)
        return following(self)

    IntervalTrigger.next = skip  # type: ignore[method-assign]


@_mutant("dead-jobs-deleted")
def _dead_jobs_deleted() -> None:
    """A server that starts deletes the jobs that a dead one had begun."""
    from schedule_zero.database import Database

    start = Database.start

    async def clean(self: Any, *args: Any) -> None:
        await start(self, *args)
        await self.write(lambda c: c.execute("DELETE FROM jobs WHERE acquired_by IS NOT NULL").rowcount)

    Database.start = clean  # type: ignore[method-assign,assignment]
