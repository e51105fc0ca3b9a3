"""The scheduler under test through its lives, in a process and in a thread: operations, kills, crashes, records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from apscheduler import AsyncScheduler

from harness.errors import NeverReady, TargetError, UsageError
from harness.history.records import Event, Execution, Job, Process, Status
from harness.targets.apscheduler import mutants, tasks
from harness.targets.apscheduler.target import ApschedulerTarget
from harness.targets.base import PlaceKind, Reply, StopHow

pytestmark = pytest.mark.integration

Make = Callable[..., ApschedulerTarget]
HOSTS = pytest.mark.parametrize("host", ["thread", "process"])


def play(target: ApschedulerTarget, body: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Start the target, do something, stop it; everything that was recorded."""

    async def whole() -> list[Any]:
        try:
            await target.start()
            target._recorder.begin_run()
            await body()
            collected = [*await target.collect()]
            await target.stop()
            collected += await target.collect_files()
            collected += await target.audit("final")
        finally:
            await target.close()
        return [*target._recorder.snapshot().records, *collected]

    return asyncio.run(whole())


async def call(target: ApschedulerTarget, op: str, **args: Any) -> Reply:
    """One operation."""
    return await target.call(op, args, timeout=10.0)


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.01)


@HOSTS
def test_schedules_and_jobs_leave_jobs_and_executions(make: Make, host: str) -> None:
    """A schedule's jobs name it and the time they are for, a submitted job is the one answered; each ran once."""
    target = make(host=host)

    async def body() -> None:
        assert (await call(target, "schedule.add", id="s", every="50ms")).ref == "s"
        ran = await call(target, "job.run", call="work", params={"seconds": 0.2})
        assert ran.status is Status.OK
        assert (await call(target, "health.check")).ref == "started"
        refs.append(ran.ref)

    refs: list[str] = []
    records = play(target, body)

    jobs = {job.job_id: job for job in records if isinstance(job, Job)}
    of_schedule = [job for job in jobs.values() if job.schedule_id == "s"]
    assert len(of_schedule) >= 3
    times = sorted(job.scheduled_for or 0.0 for job in of_schedule)
    assert {round(after - before, 3) for before, after in pairwise(times)} == {0.05}
    assert jobs[refs[0]].outcome == "success"
    runs = [run.request_id for run in records if isinstance(run, Execution)]
    assert len(runs) == len(set(runs))
    assert refs[0] in runs


def test_a_job_that_raises_is_told_as_such(make: Make) -> None:
    """In the answer, in the job's outcome, and by its run."""
    target = make(host="thread")

    async def body() -> None:
        reply = await call(target, "job.run", call="fail", params={"message": "no"})
        assert (reply.status, reply.error) == (Status.FAIL, "the job ended as error")

    records = play(target, body)

    (job,) = [record for record in records if isinstance(record, Job)]
    (run,) = [record for record in records if isinstance(record, Execution)]
    assert (job.outcome, job.error, run.outcome) == ("error", "RuntimeError: no", "error")


@pytest.mark.parametrize(
    ("op", "args", "said"),
    [
        ("schedule.pause", {"id": "nobody"}, "ScheduleLookupError"),
        ("schedule.add", {"every": "1s", "cron": "* * * * *"}, "a trigger is one of"),
        ("schedule.add", {"cron": {"hour": 99}}, "outside 0-23"),
        ("job.submit", {"call": "no.such.module:thing"}, "no callable"),
        ("job.submit", {"call": "nothing"}, "no task 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(make: Make, op: str, args: dict[str, Any], said: str) -> None:
    """As an answer, not as an error of the driver; nothing is noted as done."""
    target = make(host="thread")

    async def body() -> None:
        reply = await call(target, op, **args)
        assert reply.status is Status.FAIL
        assert said in reply.error

    records = play(target, body)

    assert [e.name for e in records if isinstance(e, Event)] == ["scheduler-up", "scheduler-down"]


def test_a_killed_scheduler_loses_its_run_and_goes_on_with_its_schedules(make: Make) -> None:
    """SIGKILL ends the process; the next one has another pid, the same schedules, and abandons the job under way."""
    target = make(store="sqlite")

    async def body() -> None:
        await call(target, "schedule.add", id="s", every="1h")
        submitted = await call(target, "job.submit", call="work", params={"seconds": 60})
        journal = target._life.journals[0]
        # Of this very job: the first run of the schedule begins at the same time.
        await until(lambda: any('"begin"' in x and submitted.ref in x for x in journal.read_text().splitlines()))
        pids.append(target.places()[0].pid)
        assert (await call(target, "scheduler.kill", down="10ms")).status is Status.OK
        pids.append(target.places()[0].pid)
        refs.append(submitted.ref)
        assert (await call(target, "schedule.pause", id="s")).status is Status.OK

    pids: list[int] = []
    refs: list[str] = []
    records = play(target, body)

    assert pids[0] != pids[1]
    exits = [record.code for record in records if isinstance(record, Process) and record.event == "exited"]
    assert exits == [-9, 0]
    (job,) = [record for record in records if isinstance(record, Job) and record.job_id == refs[0]]
    assert job.outcome == "abandoned"
    assert [run.end for run in records if isinstance(run, Execution) and run.request_id == refs[0]] == [None]


def test_a_scheduler_in_a_thread_cannot_be_killed(make: Make) -> None:
    """It says so, and goes on."""
    target = make(host="thread")

    async def body() -> None:
        reply = await call(target, "scheduler.kill")
        assert reply.status is Status.FAIL
        assert "use `host: process`" in reply.error
        assert (await call(target, "health.check")).status is Status.OK
        assert [place.kind for place in target.places()] == []

    play(target, body)


@HOSTS
def test_stopped_it_answers_nothing_until_it_is_started(make: Make, host: str) -> None:
    """What is asked meanwhile is refused for certain: nobody heard it."""
    target = make(host=host)

    async def body() -> None:
        assert (await call(target, "scheduler.stop")).status is Status.OK
        refused = await call(target, "job.submit")
        assert (refused.status, refused.error) == (Status.FAIL, "the scheduler is not running")
        assert await target.probe() == {}
        assert (await call(target, "scheduler.start")).status is Status.OK
        assert (await target.probe())["backlog"] == 0.0

    play(target, body)


def test_a_death_by_itself_is_followed_by_a_restart(make: Make) -> None:
    """As the scenario's governor says: on failure, after its delay."""
    target = make(store="sqlite", governor={"restart": "on-failure", "restart_delay": "10ms"})

    async def body() -> None:
        (first, *_) = target.places()
        psutil.Process(first.pid).kill()
        await until(lambda: target._life.pid not in (0, first.pid) and target._life.up)
        assert {place.kind for place in target.places()} == {PlaceKind.PROCESS, PlaceKind.STORE}

    records = play(target, body)

    downs = [e.detail["how"] for e in records if isinstance(e, Event) and e.name == "scheduler-down"]
    assert downs == ["death", "stop"]


def test_a_process_that_ends_by_a_signal_ends_in_good_order(make: Make) -> None:
    """SIGTERM and SIGINT: exit code 0, not forced; a second stop does nothing."""

    async def body(how: StopHow) -> None:
        target = make(folder=how.value)
        try:
            await target.start()
            stopped = await target.stop(how, times=2)
            assert (stopped.code, stopped.forced) == (0, False)
            assert (await target.stop()).took == 0.0
        finally:
            await target.close()

    for how in (StopHow.TERM, StopHow.INT):
        asyncio.run(body(how))


@HOSTS
def test_a_factory_that_fails_is_told_when_the_target_is_started(make: Make, host: str) -> None:
    """Not after a time-out."""
    target = make(host=host, factory="no.such.module:make")

    async def body() -> None:
        with pytest.raises(NeverReady, match="there is no factory"):
            await target.start()
        await target.close()

    asyncio.run(body())


def own_factory(folder: Path) -> AsyncScheduler:
    """What a user would write."""
    assert folder.is_dir()
    return AsyncScheduler(identity="mine")


def test_a_factory_of_the_users_makes_the_scheduler(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given the run's folder, and what it makes is what runs."""
    import sys
    import types

    module = types.ModuleType("my_scheduler")
    module.own_factory = own_factory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_scheduler", module)
    target = make(host="thread", factory="my_scheduler:own_factory")

    async def body() -> None:
        assert (await call(target, "job.run", call="tick")).status is Status.OK

    play(target, body)


def test_handlers_are_refused(make: Make) -> None:
    """This target has none."""
    with pytest.raises(TargetError, match="has no handlers"):
        asyncio.run(make(host="thread").add_handler("h1"))


@pytest.mark.unit
def test_mutants_and_tasks_that_do_not_exist_are_refused() -> None:
    """With what there is."""
    with pytest.raises(UsageError, match="there are: every-third-fire-skipped"):
        mutants.require("nonsense")
    with pytest.raises(UsageError, match="is not callable but float"):
        tasks.find("math:pi")
    assert tasks.find("os.path:join")("a", "b") == "a/b"
    assert sorted(mutants.about()) == sorted(mutants.REGISTRY)
