"""The owner of one scheduler, from its making to its end, who does to it what is asked over a link.

It runs in a process of its own (`child`) or in a thread (`links.ThreadLink`), and speaks plain mappings: a question has
a number ``n``, an ``op`` and ``args``, the answer the same number.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from apscheduler import AsyncScheduler, CoalescePolicy, ConflictPolicy

from harness.agent.journal import Journal
from harness.errors import TargetError
from harness.targets.apscheduler import building, mutants, recording, stores, tasks

Message = Mapping[str, Any]
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Settings:
    """How the scheduler is made; plain data, so that it can be sent. Durations in seconds."""

    folder: str
    journal: str
    factory: str = ""
    store: str = "memory"
    identity: str = "scheduler"
    lease: float = 30.0
    max_jobs: int = 100
    cleanup: float = 900.0
    connections: int = 1
    mutant: str = ""


class SchedulerHost:
    """Serves one scheduler until it is told to stop. `say` is called for each answer, in the host's own thread.

    Questions come through `put`, from any thread; None among them means that nobody asks any more.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say_raw = settings, say
        self._journal = Journal(Path(settings.journal))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._questions: asyncio.Queue[Message | None] = asyncio.Queue()

    async def serve(self) -> None:
        """Make the scheduler, start it, answer until told to stop, end it in good order.

        Raises what the scheduler crashed with, after having said so.
        """
        self._loop = asyncio.get_running_loop()
        try:
            scheduler = make(self._settings)
            made = {"durable": stores.durable(scheduler.data_store), "max_jobs": scheduler.max_concurrent_jobs}
            mutants.apply(self._settings.mutant, scheduler)
            recording.observe_executors(scheduler, self._journal)
            async with scheduler:
                recording.observe_events(scheduler, self._journal)
                await scheduler.start_in_background()
                self._say({"event": "ready", **made})
                async with anyio.create_task_group() as group:
                    while (question := await self._questions.get()) is not None:
                        group.start_soon(self._answer, scheduler, question)
                    group.cancel_scope.cancel()
        except BaseException as error:
            self._say({"event": "crashed", "error": _first(error)})
            raise
        finally:
            self._journal.close()
        self._say({"event": "stopped"})

    def put(self, question: Message | None) -> None:
        """Have a question answered; None: stop. Not before `serve` runs."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._questions.put_nowait, question)

    def stop(self) -> None:
        """Stop, from within the loop (a signal)."""
        self._questions.put_nowait(None)

    def _say(self, message: dict[str, Any]) -> None:
        self._say_raw({**message, "mono": time.monotonic()})

    async def _answer(self, scheduler: AsyncScheduler, question: Message) -> None:
        answer: dict[str, Any] = {"n": question["n"], "ok": True}
        try:
            answer |= await _OPS[question["op"]](scheduler, question["args"])
        except Exception as error:  # noqa: BLE001 - whatever it refuses is the answer
            answer |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
        self._say(answer)


def make(settings: Settings) -> AsyncScheduler:
    """A new scheduler; raises `TargetError` when the factory cannot be found or makes something else."""
    folder = Path(settings.folder)
    if not settings.factory:
        options: dict[str, Any] = {"cleanup_interval": timedelta(seconds=settings.cleanup) or None}
        return AsyncScheduler(
            stores.make(settings.store, folder, settings.connections),
            identity=settings.identity,
            max_concurrent_jobs=settings.max_jobs,
            lease_duration=timedelta(seconds=settings.lease),
            **options,
        )
    module, _, name = settings.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TargetError(f"there is no factory {settings.factory!r}: {error}") from error
    made = factory(folder) if inspect.signature(factory).parameters else factory()
    if not isinstance(made, AsyncScheduler):
        raise TargetError(f"{settings.factory} made a {type(made).__name__}, expected an apscheduler.AsyncScheduler")
    return made


async def _add_schedule(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    options: dict[str, Any] = {"max_running_jobs": args["max_running"]}
    if args["executor"]:
        options["job_executor"] = args["executor"]
    await scheduler.configure_task(args["id"], func=tasks.find(args["call"]), **options)
    grace: Any = None if args["misfire_grace"] is None else timedelta(microseconds=args["misfire_grace"])
    jitter: Any = timedelta(microseconds=args["jitter"]) or None
    ref = await scheduler.add_schedule(
        args["id"],
        building.build(args["trigger"]),
        id=args["id"],
        kwargs=args["params"],
        paused=args["paused"],
        coalesce=CoalescePolicy[args["coalesce"]],
        misfire_grace_time=grace,
        max_jitter=jitter,
        conflict_policy=ConflictPolicy[args["conflict"]],
    )
    return {"ref": ref}


async def _pause(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    await scheduler.pause_schedule(args["id"])
    return {"ref": args["id"]}


async def _resume(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    await scheduler.unpause_schedule(args["id"], resume_from="now" if args["skip"] else None)
    return {"ref": args["id"]}


async def _remove(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    await scheduler.remove_schedule(args["id"])
    return {"ref": args["id"]}


async def _task(scheduler: AsyncScheduler, args: Message) -> str:
    options: dict[str, Any] = {"job_executor": args["executor"]} if args["executor"] else {}
    task = await scheduler.configure_task(
        args["call"], func=tasks.find(args["call"]), max_running_jobs=args["max_running"], **options
    )
    return str(task.id)


async def _submit(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    return {"ref": str(await scheduler.add_job(await _task(scheduler, args), kwargs=args["params"]))}


async def _run(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    task = await _task(scheduler, args)
    job = await scheduler.add_job(task, kwargs=args["params"], result_expiration_time=timedelta(minutes=15))
    result = await scheduler.get_job_result(job)
    outcome = result.outcome.name if result is not None else "lost"
    if outcome != "success":
        return {"ok": False, "ref": str(job), "error": f"the job ended as {outcome}"}
    return {"ref": str(job)}


async def _health(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    return {"ref": scheduler.state.name}


async def _backlog(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    return {"backlog": len(await scheduler.get_jobs())}


async def _pending(scheduler: AsyncScheduler, args: Message) -> dict[str, Any]:
    return {"jobs": [recording.pending(job) for job in await scheduler.get_jobs()]}


_OPS: Mapping[str, Callable[[AsyncScheduler, Message], Awaitable[dict[str, Any]]]] = {
    "schedule.add": _add_schedule,
    "schedule.pause": _pause,
    "schedule.resume": _resume,
    "schedule.remove": _remove,
    "job.submit": _submit,
    "job.run": _run,
    "health.check": _health,
    "backlog": _backlog,
    "pending": _pending,
}


def _first(error: BaseException) -> str:
    """The first error of a group, which is what crashed the scheduler."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
