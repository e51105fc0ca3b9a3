"""The same target in the simulated world: hours in a moment, the same history every time, defects met at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.checks.base import Case, Section
from harness.checks.fire_model import FireArgs, judge
from harness.checks.verdict import Outcome
from harness.history.history import History, encode_line
from harness.history.records import AnyRecord, Header, Job
from harness.sim import Livelock, World
from harness.targets.apscheduler.target import ApschedulerTarget

pytestmark = pytest.mark.sim

Make = Callable[..., ApschedulerTarget]
Body = Callable[[ApschedulerTarget], Awaitable[Any]]


def simulate(make: Make, body: Body, *, folder: str = "", livelock: int = 20_000, **options: Any) -> list[AnyRecord]:
    """Play `body` on a target in a thread, in a world of its own; everything that was recorded."""

    async def whole() -> list[AnyRecord]:
        target = make(host="thread", folder=folder, **options)
        try:
            await target.start()
            target._recorder.begin_run()
            await body(target)
            await target.collect()
            await target.stop()
            collected = list(await target.collect_files())
        finally:
            await target.close()
        return [*target._recorder.close().records, *collected]

    with World(seed=1, livelock=livelock):
        return asyncio.run(whole())


async def call(target: ApschedulerTarget, op: str, **args: Any) -> None:
    """One operation that must succeed."""
    reply = await target.call(op, args, timeout=30.0)
    assert reply.status.value == "ok", reply.error


async def half_a_day(target: ApschedulerTarget) -> None:
    """Schedules of several kinds, a pause and a restart, over twelve hours."""
    await call(target, "schedule.add", id="every", every="50min", coalesce="all", max_running=100)
    await call(target, "schedule.add", id="cron", cron="5 */2 * * *", zone="Asia/Kolkata", misfire_grace="5min")
    await call(target, "schedule.add", id="work", every="2h", call="work", params={"seconds": 90})
    await asyncio.sleep(3 * 3600)
    await call(target, "schedule.pause", id="every")
    await asyncio.sleep(3600)
    await call(target, "schedule.resume", id="every")
    await call(target, "scheduler.restart", down="2h")
    await asyncio.sleep(6 * 3600)


def judged(records: list[AnyRecord], scenario: Any) -> Any:
    """The check's finding with no lateness allowed to speak of."""
    return judge(Case(History(Header(), records), scenario, Section.ALWAYS), FireArgs(within=0.05))


@pytest.mark.slow
def test_half_a_day_is_as_the_model_says_and_the_same_every_time(make: Make) -> None:
    """Twelve virtual hours with a durable store: to the millisecond, and byte for byte."""
    first, second = (simulate(make, half_a_day, store="sqlite", folder=name) for name in ("first", "second"))

    assert [encode_line(record) for record in first] == [encode_line(record) for record in second]
    found = judged(first, None)
    assert found.outcome is Outcome.PASS, [evidence.text for evidence in found.evidence]
    assert found.summary == "3 schedules fired 27 times, as the model says (26 of them had to)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "words"),
    [("every-third-fire-skipped", "missing"), ("fires-twice", "fired twice"), ("misfires-run", "wrongly run")],
)
def test_mutants_are_caught(make: Make, mutant: str, words: str) -> None:
    """By the model, in virtual time."""
    found = judged(simulate(make, half_a_day, store="sqlite", mutant=mutant), None)

    assert found.outcome is Outcome.FAIL
    assert words in found.summary


async def paused_and_due(target: ApschedulerTarget) -> None:
    """A schedule whose time comes while it is paused."""
    await call(target, "schedule.add", id="s", every="1s", after="1s", paused=True)
    await asyncio.sleep(5)


def test_apscheduler_spins_while_a_paused_schedule_is_due_in_its_memory_store(make: Make) -> None:
    """APScheduler 4.0.0a6: `MemoryDataStore.get_next_schedule_run_time` names paused schedules too, so the loop waits
    for a time that is over, again and again (compare agronholm/apscheduler#975). The SQL store leaves them out.
    """
    with pytest.raises(Livelock, match="scheduler"):
        simulate(make, paused_and_due, livelock=2_000)

    assert [r for r in simulate(make, paused_and_due, store="sqlite", folder="sql") if isinstance(r, Job)] == []


async def paused_when_due(target: ApschedulerTarget) -> None:
    """Schedules that are paused one after the other just when they are due."""
    names = ("a", "b", "c", "d")
    for name in names:
        await call(target, "schedule.add", id=name, every="1s", coalesce="all", max_running=9)
    await asyncio.sleep(2)
    for name in names:
        await call(target, "schedule.pause", id=name)
    await asyncio.sleep(3)
    for name in names:
        await call(target, "schedule.resume", id=name)
    await asyncio.sleep(0.5)


def test_apscheduler_fires_twice_for_a_time_at_which_a_schedule_is_paused(make: Make) -> None:
    """APScheduler 4.0.0a6: `pause_schedule` reads the schedule and writes all of it back. What the scheduler has
    processed in between is undone, and that time is fired again when the schedule goes on.
    """
    found = judged(simulate(make, paused_when_due, store="sqlite"), None)

    assert found.outcome is Outcome.FAIL
    assert "fired twice" in found.summary
    assert "has 2 jobs for 2.000 s" in found.evidence[0].text


async def jittered(target: ApschedulerTarget) -> None:
    """A schedule with jitter."""
    await call(target, "schedule.add", id="s", every="60s", jitter="10s")
    await asyncio.sleep(600)


def test_apscheduler_does_not_wait_for_its_jitter(make: Make) -> None:
    """APScheduler 4.0.0a6 adds jitter to the time a job is for, and runs the job at once all the same: before it."""
    found = judged(simulate(make, jittered), None)

    assert found.outcome is Outcome.FAIL
    assert "run too early" in found.summary


async def two_that_take_turns(target: ApschedulerTarget) -> None:
    """Two schedules that are due at the same times, each with work for a second and a half."""
    for name in ("a", "b"):
        await call(target, "schedule.add", id=name, every="4s", call="work", params={"seconds": 1.5})
    await asyncio.sleep(60)


def test_a_job_that_waits_for_a_slot_of_the_scheduler_is_not_late(make: Make) -> None:
    """With one slot each second job begins a second and a half after it is due, as it must; with two none does."""
    for slots, waited in ((1, 15), (2, 0)):
        records = simulate(make, two_that_take_turns, scheduler={"max_jobs": slots}, folder=str(slots))
        jobs = [record for record in records if isinstance(record, Job) and record.started is not None]
        found = judged(records, None)

        assert sum((job.started or 0.0) - (job.scheduled_for or 0.0) > 1.45 for job in jobs) == waited
        assert found.outcome is Outcome.PASS, [evidence.text for evidence in found.evidence]
