"""What the log says of a job's end is its outcome, and nothing else."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from schedule_zero.execution_log import Outcome

pytestmark = pytest.mark.integration


def test_a_job_that_failed_is_not_said_to_have_completed(kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    """APScheduler's own word, that every job "completed successfully", is left out; what else it says is logged."""
    caplog.set_level(logging.DEBUG)

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            job_id = await service.run_now(kit.request("fail"))
            view = await kit.done(service, job_id)
            assert view.outcome is Outcome.ERROR
            await kit.until(lambda: service._store.running_jobs == 0, "the release of the job")
            about = [record for record in caplog.records if job_id in record.getMessage()]
            said = [(r.name, r.getMessage()) for r in about if r.levelno > logging.DEBUG and "handler" not in r.name]
            outcome = f"job {job_id}: h.fail: error: call_failed: ValueError: no such luck"
            assert said == [("schedule_zero.job_executor", outcome)]

    kit.run(scene)
    assert "completed successfully" not in caplog.text
    assert "Scheduler started" in caplog.text
