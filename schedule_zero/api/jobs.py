"""POST /api/run_now and GET /api/jobs/{id}."""

from __future__ import annotations

from schedule_zero.api.base import ApiHandler
from schedule_zero.requests import RunNow


class RunNowHandler(ApiHandler):
    """Takes jobs to run at once."""

    async def post(self) -> None:
        """Accept a job: 202 with its id, once it is durable."""
        job_id = await self.service.run_now(self.body(RunNow), idempotency_key=self.idempotency_key())
        self.answer({"job_id": job_id}, 202, {"Location": f"/api/jobs/{job_id}"})


class JobHandler(ApiHandler):
    """One job."""

    async def get(self, job_id: str) -> None:
        """Answer its state, and its outcome once it is done."""
        self.answer(await self.service.job(job_id))
