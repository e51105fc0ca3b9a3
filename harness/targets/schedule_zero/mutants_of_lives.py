"""Defects in how server, handlers and governor live through faults, stops and restarts (see `mutants`)."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

from harness.targets.schedule_zero.mutant_registry import mutant


@mutant("heartbeat-never-expires")
def _heartbeat_never_expires() -> None:
    """A handler that was heard of once counts as connected for ever."""
    from schedule_zero.handler_registry import RegistryManager

    RegistryManager._is_connected = lambda self, entry: entry.heard is not None  # type: ignore[method-assign]


@mutant("drain-skipped")
def _drain_skipped() -> None:
    """A stop does not let running calls end."""
    from schedule_zero.job_executor import JobExecutor
    from schedule_zero.store import JobStore

    async def skip(self: Any) -> None:
        self._draining.set()

    async def idle(self: Any) -> None:
        return None

    JobExecutor.drain = skip  # type: ignore[method-assign]
    JobStore.wait_idle = idle  # type: ignore[method-assign]


@mutant("handler-ignores-term")
def _handler_ignores_term() -> None:
    """A handler that is told to end does not, so that its governor has to kill it."""
    import time

    from schedule_zero.zmq_handler_base import BaseHandler

    def stay(self: Any, timeout: float = 5.0) -> bool:
        time.sleep(3600.0)
        return True

    BaseHandler.stop = stay  # type: ignore[method-assign]


@mutant("handler-ends-with-9")
def _handler_ends_with_9() -> None:
    """A handler that is told to end does so with exit code 9."""
    from schedule_zero.zmq_handler_base import BaseHandler

    stop = BaseHandler.stop

    def fail(self: Any, timeout: float = 5.0) -> bool:
        stop(self, timeout)
        raise SystemExit(9)

    BaseHandler.stop = fail  # type: ignore[method-assign]


@mutant("orders-hurry")
def _orders_hurry() -> None:
    """A stop that is ordered twice uses force like one with a second signal."""
    from schedule_zero.governor_run import ForegroundGovernor

    request_stop = ForegroundGovernor.request_stop

    def hurry(self: Any) -> None:
        if self.stopping:
            self.governor.hurry()
        request_stop(self)

    ForegroundGovernor.request_stop = hurry  # type: ignore[method-assign]


@mutant("stop-without-bound")
def _stop_without_bound() -> None:
    """A stop waits for running calls however long they take."""
    from schedule_zero.service import SchedulerService

    stop_parts = SchedulerService._stop_parts

    async def patient(self: Any, timeout: float) -> None:
        await stop_parts(self, 1e6)

    SchedulerService._stop_parts = patient  # type: ignore[method-assign]


@mutant("restarts-never-forgiven")
def _restarts_never_forgiven() -> None:
    """A process is given up after so many restarts in all, however long it was well in between."""
    from schedule_zero.restart_policy import Restarts

    delay_after = Restarts.delay_after

    def unforgiving(self: Any, exit_code: int, uptime: float) -> float | None:
        return delay_after(self, exit_code, 0.0)

    Restarts.delay_after = unforgiving  # type: ignore[method-assign]


@mutant("socket-not-renewed")
def _socket_not_renewed() -> None:
    """A REQ socket is kept after a time-out, and refuses the next call."""
    from schedule_zero import zmq_client
    from schedule_zero.errors import Disconnected

    def converse(self: Any, call: Any) -> Any:
        try:
            return self._exchange(call)
        except zmq_client._Refused as refusal:
            raise Disconnected(f"{call.method} to {self.name}: {refusal}") from refusal.error

    zmq_client.ZMQClient._converse = converse  # type: ignore[method-assign]
    zmq_client.ZMQClient._renew = lambda self, call, reason: None  # type: ignore[method-assign]


@mutant("orphan-keeps-pid-file")
def _orphan_keeps_pid_file() -> None:
    """A process that ends because its governor is dead leaves its pid file behind."""
    from schedule_zero import lifeline

    # Server and handlers are run as main modules, which take it from there.
    vars(lifeline)["forget_pid_file"] = lambda: None


@mutant("governor-file-kept")
def _governor_file_kept() -> None:
    """The file that says where the governor takes orders outlives it."""
    from schedule_zero.governor_control import ControlServer

    stop = ControlServer.stop

    def leave(self: Any, timeout: float = 5.0) -> None:
        self._wrote = False
        stop(self, timeout)

    ControlServer.stop = leave  # type: ignore[method-assign]


@mutant("own-jobs-not-reaped")
def _own_jobs_not_reaped() -> None:
    """A server that starts does not take up the jobs that it had begun; they wait for their lease to run out."""
    from schedule_zero.store import JobStore

    async def leave(self: Any, scheduler_id: str) -> None:
        return None

    JobStore.reap_abandoned_jobs = leave  # type: ignore[method-assign]


@mutant("leases-never-expire")
def _leases_never_expire() -> None:
    """What a server had taken when it was killed is never given back, neither to others nor to itself."""
    from schedule_zero import store
    from schedule_zero.store_schedules import remove_finished

    async def leave(self: Any, scheduler_id: str) -> None:
        return None

    def clean(c: Any, held: Any) -> list[Any]:
        return list(remove_finished(c))

    store.JobStore.reap_abandoned_jobs = leave  # type: ignore[method-assign]
    vars(store)["clean"] = clean
    if importlib.util.find_spec("psycopg") is not None:
        from schedule_zero import postgres_store

        vars(postgres_store)["clean"] = clean


@mutant("request-id-anew")
def _request_id_anew() -> None:
    """Each attempt of a call goes out under a request id of its own, so that a handler cannot know it again."""
    from schedule_zero.zmq_client import ZMQClient

    call, count = ZMQClient.call, 0

    def anew(self: Any, method: str, params: Any = None, *args: Any, request_id: str | None = None, **more: Any) -> Any:
        nonlocal count
        if request_id is not None:
            count += 1
            request_id = f"{request_id}/{count}"
        return call(self, method, params, *args, request_id=request_id, **more)

    ZMQClient.call = anew  # type: ignore[method-assign]


@mutant("at-most-once-forgotten")
def _at_most_once_forgotten() -> None:
    """A job that may run once at most is tried again like any other."""
    from schedule_zero.job_executor import JobExecutor

    run = JobExecutor.run

    async def again(self: Any, call: Any) -> Any:
        return await run(self, replace(call, at_most_once=False))

    JobExecutor.run = again  # type: ignore[method-assign]


@mutant("first-come-first-served")
def _first_come_first_served() -> None:
    """Free slots go to whichever jobs came first, so that handlers which never answer get them all."""
    from schedule_zero import acquiring

    def first(waiting: Any, running: Any, limits: Any, free: int) -> list[Any]:
        return [job for _, job in sorted(waiting, key=lambda item: item[0].seq)][:free]

    vars(acquiring)["admit"] = first


@mutant("rubbish-ends-registration")
def _rubbish_ends_registration() -> None:
    """The first message that is no request ends the registration server."""
    from schedule_zero import wire
    from schedule_zero.registration_server import RegistrationServer

    serve_one, over = RegistrationServer._serve_one, False

    async def fragile(self: Any, socket: Any, frames: Any, peer: Any) -> None:
        nonlocal over
        try:
            wire.decode_request(frames[-1])
        except Exception:  # noqa: BLE001 - whatever it is: that it ends the server is the defect
            over = True
        if not over:
            await serve_one(self, socket, frames, peer)

    RegistrationServer._serve_one = fragile  # type: ignore[method-assign]


@mutant("expired-jobs-abandoned")
def _expired_jobs_abandoned() -> None:
    """A job whose lease has run out is given up as abandoned, although it is running here (what APScheduler does)."""
    from datetime import UTC, datetime

    from apscheduler import JobOutcome, JobResult

    from schedule_zero.acquiring import release
    from schedule_zero.store import JobStore

    async def give_up(self: Any, scheduler_id: str, job_ids: Any, duration: Any) -> None:
        present = datetime.now(UTC)

        def work(c: Any) -> None:
            for job in held:
                result: Any = JobResult.from_job(job, JobOutcome.abandoned, finished_at=present)
                release(c, scheduler_id, job, result)

        rows = await self.get_jobs(job_ids)
        held = [job for job in rows if job.acquired_until is not None and job.acquired_until < present]
        await self._db.write(work)
        await extend(self, scheduler_id, job_ids, duration)

    extend = JobStore.extend_acquired_job_leases
    JobStore.extend_acquired_job_leases = give_up  # type: ignore[method-assign]


@mutant("only-locks-pass")
def _only_locks_pass() -> None:
    """Of the store's troubles only a lock is waited out; a full or failing disk loses what was to be written."""
    import sqlite3

    from schedule_zero.database import Database
    from schedule_zero.storage import Done

    transact = Database._transact

    def impatient(self: Any, works: Any) -> Any:
        try:
            return transact(self, works)
        except Exception as error:
            cause = error.__cause__ or error
            if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF not in (5, 6):
                return [Done() for _ in works]
            raise

    Database._transact = impatient  # type: ignore[method-assign]
