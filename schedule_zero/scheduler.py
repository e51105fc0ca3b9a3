"""APScheduler's `AsyncScheduler`, built for this service and kept running.

An error that ends APScheduler's loops ends one incarnation: the next one is built on the same store and broker,
after a pause, and the incident is counted (promise P5).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from apscheduler import AsyncScheduler, Event, Job, RunState, SchedulerStarted, Task, TaskDefaults
from apscheduler.abc import JobExecutor

from schedule_zero.apscheduler_fixes.clock_steps import watch_clocks
from schedule_zero.brokers import LastingBroker
from schedule_zero.errors import StoreUnusable
from schedule_zero.rows import EXECUTOR, TASK_PREFIX
from schedule_zero.store import JobStore
from schedule_zero.store_errors import StoreCorrupt, StoreReplaced

#: What APScheduler says of jobs that have ended, as it understands it, and of its own end, which is told here; and that
#: it has tidied up, some six thousand times a day.
_LEFT_OUT = (
    "Job %s completed successfully",
    "Job %s was cancelled",
    "Scheduler crashed",
    "Cleaned up expired job results and finished schedules",
)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


def task_id(handler_id: str) -> str:
    """The id of the APScheduler task of that handler: one a handler, so that each has its own limit of running
    jobs.
    """
    return f"{TASK_PREFIX}{handler_id}"


class JobRunner(JobExecutor):
    """Runs APScheduler's jobs by `run`, whatever their function: a job says which handler to call, not which
    code to run.

    The one executor there is: calls wait in threads of our own `JobExecutor`, so APScheduler needs none.
    """

    def __init__(self, run: Callable[[Job], Awaitable[Any]]) -> None:
        self._run = run

    async def run_job(self, func: Callable[..., Any], job: Job) -> Any:
        """Run the job; its result lies in the execution log."""
        return await self._run(job)


def call_handler(**_: Any) -> None:
    """The function that every task names, because APScheduler wants one; `JobRunner` runs the job instead."""
    raise RuntimeError("a job of schedule_zero runs through JobRunner only")


def handler_task(handler_id: str, max_running_jobs: int) -> Task:
    """The task of a handler, at which `max_running_jobs` jobs may run at once."""
    return Task(
        id=task_id(handler_id),
        func=f"{__name__}:{call_handler.__name__}",
        job_executor=EXECUTOR,
        max_running_jobs=max_running_jobs,
    )


def build_scheduler(
    store: JobStore,
    broker: LastingBroker,
    run: Callable[[Job], Awaitable[Any]],
    *,
    identity: str,
    lease: float = 30.0,
    max_jobs: int = 100,
) -> AsyncScheduler:
    """A scheduler on that store, whose jobs are run by `run`. `identity` must be the same after a restart: that
    is how it finds its own jobs again.

    `lease` in seconds: for how long an acquired job stays its own without renewal.
    """
    return AsyncScheduler(
        data_store=store,
        event_broker=broker,
        identity=identity,
        max_concurrent_jobs=max_jobs,
        job_executors={EXECUTOR: JobRunner(run)},
        task_defaults=TaskDefaults(job_executor=EXECUTOR),
        # Jobs left by another identity come free when their lease runs out; look twice in that time.
        cleanup_interval=timedelta(seconds=max(1.0, lease / 2)),
        lease_duration=timedelta(seconds=lease),
        logger=_logger(),
    )


def _logger() -> logging.Logger:
    """APScheduler's logger, which says nothing of how jobs end, nor of how it does itself.

    To APScheduler a job whose call failed, or that was given back, has "completed successfully" or "was cancelled": its
    work was to bring the job to its outcome. The executor logs that.
    """
    below = logging.Logger("schedule_zero.apscheduler")
    below.parent = logging.getLogger("schedule_zero.apscheduler")
    below.addFilter(lambda record: record.msg not in _LEFT_OUT)
    return below


class KeptScheduler:
    """One incarnation after another, each made by `build`, until `stop`."""

    def __init__(self, build: Callable[[], AsyncScheduler]) -> None:
        self._build = build
        self._scheduler: AsyncScheduler | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._attempts, self._told = 0, False
        self.restarts = 0
        self.last_error: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether an incarnation is up."""
        return self._scheduler is not None and self._scheduler.state is RunState.started

    async def start(self) -> None:
        """Begin; returns when the first incarnation is up. Raises what kept it from coming up."""
        up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(up), name="scheduler")
        await up

    async def stop(self, timeout: float) -> bool:
        """Cancel what runs; False if that was not over within `timeout` seconds."""
        if self._task is None:
            return True
        self._stopping = True
        self._task.cancel()
        done, _ = await asyncio.wait({self._task}, timeout=timeout)
        return bool(done)

    async def _keep(self, up: asyncio.Future[None]) -> None:
        pause = _FIRST_PAUSE
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                await self._live(up)
                raise RuntimeError("APScheduler stopped by itself")
            except Exception as error:  # noqa: BLE001 - of whatever it died, it is started again
                if self._stopping:
                    return  # cancelled in the midst of its last writes, which the closing store refused
                if not up.done():
                    cause = _cause(error)
                    up.set_exception(cause if isinstance(cause, StoreUnusable) else error)
                    return
                self._mourn(error, pause)
            finally:
                self._scheduler = None
            if asyncio.get_running_loop().time() - begun > 10 * _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _mourn(self, error: Exception, pause: float) -> None:
        """Count and tell it, but not again for the same reason before it has come up in between."""
        cause = _cause(error)
        described = f"{type(cause).__name__}: {cause}"
        is_news = self._attempts == 0 or described != self.last_error
        self.restarts += 1
        self._attempts += 1
        self.last_error = described
        if is_news and not isinstance(cause, (StoreReplaced, StoreCorrupt)):  # of which the store itself tells
            message = "the scheduler died and is started again in %.1f s, and then until it lives"
            logging.getLogger(__name__).error(message, pause, exc_info=error)
            self._told = True

    def _came_up(self) -> None:
        if self._told:
            logging.getLogger(__name__).warning("the scheduler runs again, at attempt %d", self._attempts)
        self._attempts, self._told = 0, False

    async def _live(self, up: asyncio.Future[None]) -> None:
        self._scheduler = scheduler = self._build()

        def started(_: Event) -> None:
            self._came_up()
            if not up.done():
                up.set_result(None)

        store: Any = scheduler.data_store
        watch = asyncio.create_task(watch_clocks(store.clocks_parted), name="clocks")
        try:
            with scheduler.event_broker.subscribe(started, {SchedulerStarted}):
                await scheduler.run_until_stopped()
        finally:
            watch.cancel()


def _cause(error: BaseException) -> BaseException:
    """The error itself, from within the groups that APScheduler's task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
