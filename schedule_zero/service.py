"""The scheduler service without HTTP: store, handlers' registry, registration server, scheduler as one thing.

Example::

    async with SchedulerService(config) as service:
        job_id = await service.run_now(RunNow(handler_id="h1", job_method="echo"))
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, TypeVar

from apscheduler import Event, Job

from schedule_zero.addressees import Addressees
from schedule_zero.bounded import Bounded
from schedule_zero.closing import close_in_thread
from schedule_zero.execution_log import Cursor, ExecutionLog, ExecutionRecord, Filters
from schedule_zero.handler_facts import HandlerFacts
from schedule_zero.handler_registry import HandlerRecord, RegistryManager
from schedule_zero.health import health_of
from schedule_zero.idempotency import fingerprint, forget_old_keys, key_of
from schedule_zero.job_calls import call_of
from schedule_zero.job_executor import GivenBack, JobExecutor
from schedule_zero.refusals import NotFound, Stopping
from schedule_zero.registration_server import RegistrationServer
from schedule_zero.requests import NewSchedule, RunNow, ScheduleChange, call_kwargs
from schedule_zero.rows import EXECUTOR, TASK_PREFIX
from schedule_zero.scheduler import KeptScheduler, build_scheduler, task_id
from schedule_zero.schedules import Schedules
from schedule_zero.security.server_keys import server_keys
from schedule_zero.service_config import ServiceConfig
from schedule_zero.service_events import ServiceEvent, event_of, finished
from schedule_zero.store import JobStore
from schedule_zero.store_errors import StoreReplaced
from schedule_zero.stores import build_store
from schedule_zero.unreadable import Page
from schedule_zero.views import HandlerView, Health, JobView, ScheduleView, handler_view
from schedule_zero.waiting_jobs import find_job, page_of_jobs

T = TypeVar("T")
#: Seconds between two rounds of purging the log and forgetting idempotency keys.
_HOUSEKEEPING = 60.0


class SchedulerService:
    """A scheduler for one event loop; an async context manager.

    `store_timeout` bounds, in seconds, how long an operation waits for the store; after that it raises
    `StoreBusy`. An operation refused so has been withdrawn if it had not begun, and may have been done
    otherwise: an idempotency key makes it safe to ask again.
    """

    def __init__(self, config: ServiceConfig, *, store_timeout: float = 10.0) -> None:
        self.config = config
        self._store_timeout = store_timeout
        self._stack = AsyncExitStack()
        self._stopping = False
        self._stopped: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._store: JobStore = build_store(config.store_url, identity=config.identity)
        self._broker = self._store.broker()
        self.storage = self._store.database
        self._log = ExecutionLog(self.storage)
        self._addressees = Addressees(self._store, self._find_handler, config.per_handler_jobs)
        self._schedules = Schedules(self._store, self._addressees, misfire_grace=config.misfire_grace)
        self._kept = KeptScheduler(self._build_scheduler)
        self._housekeeper: asyncio.Task[None] | None = None
        self._registry: RegistryManager | None = None
        self._registration: RegistrationServer | None = None
        self._executor: JobExecutor | None = None
        #: Called with every event, and with the record of every job that its executor has brought to its outcome.
        self.on_event: Callable[[ServiceEvent], None] = lambda _: None
        self.on_executed: Callable[[ExecutionRecord], None] = lambda _: None

    async def __aenter__(self) -> SchedulerService:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start store, registry, registration server and scheduler, in this order.

        Raises `StoreUnusable`, `PortTaken`, `ConfigError`; what had been started is stopped again.
        """
        self._begun = time.monotonic()
        try:
            await self._start_parts()
        except BaseException:
            await self.stop(timeout=0.0)
            raise

    async def _start_parts(self) -> None:
        config = self.config
        keys = server_keys(config.security)
        await self._store.database.start()
        await self._broker.open(self._stack)
        self._broker.listen(self._hear)
        self._registry = RegistryManager(
            config.registry_path,
            heartbeat_timeout=config.heartbeat_timeout,
            client_timeout=round(config.call_timeout * 1000),
            pool_size=config.per_handler_jobs,
            secure=keys,
        )
        facts = HandlerFacts(self._registry)
        self._store.connected = facts.connected
        self._store.starts = lambda task: facts.incarnation(task.removeprefix(TASK_PREFIX))
        self._executor = JobExecutor(
            self._registry,
            self._log,
            threads=config.per_handler_jobs,
            reachable=facts.is_connected,
            elsewhere=self._store.elsewhere,
            concurrency=facts.concurrency,
            incarnation=facts.incarnation,
        )
        places = self._executor.places
        self._store.places = lambda task: places(task.removeprefix(TASK_PREFIX))
        self._registration = RegistrationServer(
            self._registry,
            config.zmq_host,
            config.zmq_port,
            heartbeat=config.heartbeat,
            secure=keys,
            insecure=config.security.insecure,
        )
        await self._registration.start()
        await self._kept.start()
        self._housekeeper = asyncio.create_task(self._keep_house(), name="housekeeping")

    async def stop(self, timeout: float | None = None) -> None:
        """Take nothing new, let running calls end for up to `timeout` seconds (the configuration's
        `stop_timeout`), then abandon them: their jobs stay in the store and run again, under the same ids,
        after the next start. So do, at once, jobs that are in no call: their handler is away, or they pause.

        Bounded whatever runs and whatever the store does; may be called again and at the same time.
        """
        if self._stopped is not None:
            await asyncio.shield(self._stopped)
            return
        self._stopped = asyncio.get_running_loop().create_future()
        try:
            await self._stop_parts(self.config.stop_timeout if timeout is None else timeout)
        finally:
            self._stopped.set_result(None)

    async def _stop_parts(self, timeout: float) -> None:
        self._stopping = self._store.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                if self._executor is not None:
                    await self._executor.drain()
                await self._store.wait_idle()
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        # Cancelled jobs are given back to the store; if that is locked, closing it below ends their wait.
        if not await self._kept.stop(timeout=1.0):
            logging.getLogger(__name__).warning(
                "the store does not answer: running jobs are given back at the next start"
            )
        if self._registration is not None:
            await self._registration.stop()
        await self._store.database.close()
        await self._kept.stop(timeout=1.0)
        if self._executor is not None and (left := self._executor.close()):
            logging.getLogger(__name__).info("%d calls are abandoned; their jobs run after the next start", left)
        if self._registry is not None:
            await close_in_thread("close registry", self._registry.close, 2.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._stack.aclose()

    @property
    def abandoned_threads(self) -> int:
        """Threads that still wait for a handler after `stop`; the process need not wait for them."""
        return 0 if self._executor is None else self._executor.close()

    @property
    def registration_address(self) -> str:
        """Where handlers register, with the real port."""
        if self._registration is None:
            raise RuntimeError("the service has not been started")
        return str(self._registration.address)

    async def run_now(self, request: RunNow, *, idempotency_key: str | None = None) -> str:
        """Accept a job; returns its id once it is durable.

        Raises `UnknownHandler` for a handler that never registered (a known one may be away: its job is
        retried), `UnknownMethod` if the handler is there and says that it has none of this name,
        `IdempotencyConflict`, `InvalidRequest` (two keys), `StoreBusy`, `Stopping`.
        """
        self._admit()
        job = Job(task_id=task_id(request.handler_id), kwargs=call_kwargs(request), executor=EXECUTOR)
        key = key_of(request, idempotency_key)
        async with self._bounded():
            if (earlier := await self._addressees.admit(request, key)) is not None:
                return earlier
            return str(await self._store.accept(job, key=key, fingerprint=fingerprint(request) if key else ""))

    async def job(self, job_id: str) -> JobView:
        """Where a job stands; raises `NotFound`, `RowUnreadable`."""
        async with self._bounded():
            return await find_job(self._store, self._log, self._under_way, job_id)

    async def jobs(self, **wanted: Any) -> Page[JobView, int]:
        """Jobs that have not ended, in order of arrival, see `page_of_jobs`."""
        async with self._bounded():
            return await page_of_jobs(self._store, self._under_way, **wanted)

    async def waiting_jobs(self) -> int:
        """How many jobs wait to be called: the depth of the queue."""
        async with self._bounded():
            return await self._store.count_waiting()

    async def remove_job(self, job_id: str) -> None:
        """Drop a job that waits, also one that cannot be read: it ends as cancelled, and its record says why.

        Raises `NotFound`, `JobUnderWay`.
        """
        record = await self._changed(self._store.remove_job(job_id))
        if record is None:
            raise NotFound(f"there is no job {job_id!r} that waits")
        self.on_event(finished(record))

    @property
    def _under_way(self) -> dict[str, ExecutionRecord]:
        return self._executor.running if self._executor else {}

    async def executions(
        self, filters: Filters | None = None, *, limit: int = 100, offset: int = 0
    ) -> list[ExecutionRecord]:
        """Finished executions, oldest first; see `ExecutionLog.query`."""
        async with self._bounded():
            return await self._log.query(filters, limit=limit, offset=offset)

    async def executions_page(self, filters: Filters, **wanted: Any) -> Page[ExecutionRecord, Cursor]:
        """Finished executions, less of them if they are large; see `ExecutionLog.page`."""
        async with self._bounded():
            return await self._log.page(filters, **wanted)

    async def execution_stats(self) -> dict[str, Any]:
        """Counts by outcome and handler, see `ExecutionLog.stats`."""
        async with self._bounded():
            return await self._log.stats()

    async def clear_executions(self) -> int:
        """Drop all finished executions; returns how many. Takes as long as it takes, and holds up nobody."""
        return await self._log.clear(each=self._changed)

    async def _run_job(self, job: Job) -> None:
        assert self._executor is not None
        try:
            record = await self._executor.run(call_of(job, self.config))
        except (GivenBack, StoreReplaced):
            # What APScheduler calls cancelled, the store takes back: also a job whose outcome has nowhere to go.
            raise asyncio.CancelledError from None
        self.on_executed(record)
        self.on_event(finished(record))

    def _hear(self, event: Event) -> None:
        told = event_of(event, self.config.identity)
        if told is not None:
            self.on_event(told)

    async def add_schedule(self, request: NewSchedule, *, idempotency_key: str | None = None) -> str:
        """Add a schedule; returns its id once it is durable. Raises as `Schedules.add`, `StoreBusy`, `Stopping`."""
        self._admit()
        async with self._bounded():
            return await self._schedules.add(request, idempotency_key=idempotency_key)

    async def schedules(self) -> list[ScheduleView]:
        """All schedules by id."""
        async with self._bounded():
            return await self._schedules.all()

    async def schedules_page(self, **wanted: Any) -> Page[ScheduleView, str]:
        """Some schedules by id, see `Schedules.page`."""
        async with self._bounded():
            return await self._schedules.page(**wanted)

    async def schedules_ahead(self, limit: int) -> tuple[list[ScheduleView], int, int]:
        """The schedules that fire next, and how many there are, see `Schedules.ahead`."""
        async with self._bounded():
            return await self._schedules.ahead(limit)

    async def run_schedule(self, schedule_id: str, *, idempotency_key: str) -> str:
        """Accept a job that does at once what a schedule does, see `Schedules.run`; returns its id."""
        return await self._changed(self._schedules.run(schedule_id, idempotency_key=idempotency_key))

    async def schedule(self, schedule_id: str) -> ScheduleView:
        """One schedule; raises `NotFound`, `RowUnreadable`."""
        async with self._bounded():
            return await self._schedules.get(schedule_id)

    async def change_schedule(self, schedule_id: str, change: ScheduleChange) -> ScheduleView:
        """Reschedule, pause or resume, all that is wanted at once; raises `NotFound`, `InvalidRequest`."""
        await self._changed(self._schedules.change(schedule_id, change))
        return await self.schedule(schedule_id)

    async def pause(self, schedule_id: str) -> None:
        """Pause a schedule; raises `NotFound`."""
        await self._changed(self._schedules.pause(schedule_id))

    async def resume(self, schedule_id: str) -> None:
        """Resume a schedule; raises `NotFound`."""
        await self._changed(self._schedules.resume(schedule_id))

    async def reschedule(self, schedule_id: str, trigger: dict[str, Any]) -> None:
        """Give a schedule another trigger; raises `NotFound`, `InvalidRequest`."""
        await self._changed(self._schedules.reschedule(schedule_id, trigger))

    async def remove(self, schedule_id: str) -> None:
        """Remove a schedule; raises `NotFound`."""
        await self._changed(self._schedules.remove(schedule_id))

    async def _changed(self, change: Awaitable[T]) -> T:
        self._admit()
        async with self._bounded():
            return await change

    def handlers(self) -> list[HandlerView]:
        """All handlers that are registered, by id."""
        running = list(self._under_way.values())
        records = self._registry.list() if self._registry else []
        return [handler_view(record, running) for record in records]

    def handler(self, handler_id: str) -> HandlerView:
        """One handler; raises `UnknownHandler`."""
        return handler_view(self._find_handler(handler_id), list(self._under_way.values()))

    async def health(self) -> Health:
        """How the parts are; answers within half a second even if the store is locked."""
        listening = self._registration is not None and not self._stopping
        return await health_of(
            self._store,
            self._kept,
            registration=self.registration_address if listening else None,
            deployment=self.config.deployment,
            uptime=time.monotonic() - self._begun,
            stopping=self._stopping,
        )

    def registration_counts(self) -> dict[str, int]:
        """What the registration server was asked, see `RegistrationStats`."""
        return dataclasses.asdict(self._registration.stats) if self._registration else {}

    @property
    def runs_left_out(self) -> int:
        """Missed runs that are not made up for, see `ScheduleStore.left_out`."""
        return self._store.left_out

    def unreadable_rows(self) -> dict[str, int]:
        """How many stored rows cannot be read, by their kind; see `Unreadable`."""
        return self._store.unreadable.counts()

    def _admit(self) -> None:
        if self._stopping:
            raise Stopping("the service is stopping and takes nothing new; try again when it is back")

    def _bounded(self) -> Bounded:
        return Bounded(self._store_timeout)

    def _find_handler(self, handler_id: str) -> HandlerRecord:
        assert self._registry is not None
        return self._registry.get(handler_id)

    def _build_scheduler(self) -> Any:
        config = self.config
        return build_scheduler(
            self._store,
            self._broker,
            self._run_job,
            identity=config.identity,
            lease=config.lease,
            max_jobs=config.max_jobs,
        )

    async def _keep_house(self) -> None:
        config = self.config
        while True:
            try:
                await self._log.purge(config.executions_max_age, config.executions_max_count)
                await self._store.database.write(forget_old_keys)
            except StoreReplaced:
                pass  # the store tells of that itself
            except Exception:
                logging.getLogger(__name__).exception("housekeeping failed; it is tried again in a minute")
            await asyncio.sleep(_HOUSEKEEPING)
