"""Jobs of `SchedulerService` with real handlers over ZeroMQ: accepted, called once, recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.errors import UnknownHandler
from schedule_zero.execution_log import Outcome
from schedule_zero.refusals import InvalidRequest, NotFound
from schedule_zero.requests import JobState, Retry

pytestmark = pytest.mark.integration


def test_a_job_runs_and_its_outcome_can_be_asked_for(kit: Any) -> None:
    """Accepted, called with its parameters, recorded under the id that was answered."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            job = await kit.done(service, await service.run_now(kit.request("echo", value=[1, {"a": "é"}])))
            assert (job.outcome, job.result) == (Outcome.SUCCESS, [1, {"a": "é"}])
            assert job.accepted_at <= job.started_at <= job.ended_at
            failed = await kit.done(service, await service.run_now(kit.request("fail")))
            assert failed.outcome is Outcome.ERROR
            assert "no such luck" in failed.error

    kit.run(scene)


def test_states_of_a_job(kit: Any) -> None:
    """Running while the handler works, pending behind its limit, done with the outcome, unknown otherwise."""

    async def scene() -> None:
        async with kit.serving(per_handler_jobs=1) as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            first = await service.run_now(kit.request("wait", value=1))
            await kit.until(lambda: worker.count[1], "the first call")
            second = await service.run_now(kit.request(value=2))
            assert (await service.job(first)).state is JobState.RUNNING
            assert (await service.job(second)).state is JobState.PENDING
            worker.gate.set()
            assert (await kit.done(service, first)).outcome is Outcome.SUCCESS
            assert (await kit.done(service, second)).outcome is Outcome.SUCCESS
            for unknown in ("x", "00000000-0000-0000-0000-000000000000"):
                with pytest.raises(NotFound):
                    await service.job(unknown)

    kit.run(scene)


def test_a_handler_that_never_registered_is_refused_and_one_that_left_is_not(kit: Any, tmp_path: Path) -> None:
    """A known handler may be away: its job is accepted, tried, and ends unreachable if it stays away."""

    async def scene() -> None:
        async with kit.serving(store="sqlite", database=tmp_path / "a.db") as service:
            with pytest.raises(UnknownHandler, match="'h' has ever registered"):
                await service.run_now(kit.request())
            async with kit.handling(service):
                await kit.registered(service, "h")
                await kit.done(service, await service.run_now(kit.request()))
            job = await kit.done(service, await service.run_now(kit.request(timeout=0.05)))
            assert job.outcome is Outcome.UNREACHABLE
            assert len(job.attempts) == 3

    kit.run(scene)


def test_a_job_waits_for_a_handler_that_is_away(kit: Any, tmp_path: Path) -> None:
    """A handler that comes back within the time-out gets the job in the first attempt, at its new address."""

    async def scene() -> None:
        async with kit.serving() as service:
            async with kit.handling(service):
                await kit.registered(service, "h")
            job_id = await service.run_now(kit.request(value=1))
            await kit.until(lambda: service._store.running_jobs, "the job's first attempt")
            async with kit.handling(service) as worker:
                job = await kit.done(service, job_id)
                assert (job.outcome, len(job.attempts), worker.count) == (Outcome.SUCCESS, 1, {1: 1})

    kit.run(scene)


def test_the_same_request_under_one_key_is_one_job(kit: Any) -> None:
    """Asked ten times at once under one key, the handler works once."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            ids = await asyncio.gather(
                *(service.run_now(kit.request(value=7), idempotency_key="k") for _ in range(10))
            )
            assert len(set(ids)) == 1
            await kit.done(service, ids[0])
            assert worker.count == {7: 1}

    kit.run(scene)


def test_a_job_has_its_own_retries(kit: Any) -> None:
    """`retry` of the request takes the place of the deployment's."""

    async def scene() -> None:
        async with kit.serving() as service:
            async with kit.handling(service):
                await kit.registered(service, "h")
            job = await kit.done(
                service,
                await service.run_now(kit.request(timeout=0.05, retry=Retry(attempts=2, base=0.0))),
            )
            assert len(job.attempts) == 2

    kit.run(scene)


def test_events_tell_what_happens(kit: Any) -> None:
    """A listener hears of a job's arrival, start and outcome, once each; of the end with the job's record."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            events: list[Any] = []
            records: list[Any] = []
            service.on_event, service.on_executed = events.append, records.append
            job_id = await service.run_now(kit.request())
            await kit.done(service, job_id)
            await kit.until(lambda: len(events) >= 3, "the end")
            assert [event.kind.value for event in events] == ["job.added", "job.started", "job.finished"]
            assert {event.job_id for event in events} == {job_id}
            assert [record.outcome for record in records] == [events[-1].outcome] == [Outcome.SUCCESS]

    kit.run(scene)


@pytest.mark.parametrize("value", [float("nan"), b"x", {1: 2}, 1j, {"s": {1}}])
def test_parameters_that_are_no_json_are_refused_when_they_are_submitted(kit: Any, value: Any) -> None:
    """By a caller in Python: the handler would get something else, or the call would fail when it is due."""

    async def scene() -> None:
        async with kit.serving() as service:
            with pytest.raises(InvalidRequest, match=r"job_params: "):
                await service.run_now(kit.request(value=value))

    kit.run(scene)
