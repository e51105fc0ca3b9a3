"""POST /api/run_now, GET /api/jobs and GET, DELETE /api/jobs/{id}."""

from __future__ import annotations

from schedule_zero.api.answers import JobAccepted, JobPage
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import ACCEPTED_JOB, JOB, RUN_NOW, WAITING_JOB
from schedule_zero.api.operations import Returns, Scope, operation
from schedule_zero.api.queries import MOST, JobsQuery, cursor_of, next_cursor
from schedule_zero.refusals import InvalidRequest
from schedule_zero.requests import RunNow
from schedule_zero.views import JobView, unreadable_views

_PATH = {"job_id": "The id that the job got when it was accepted."}


class RunNowHandler(ApiHandler):
    """Takes jobs to run at once."""

    @operation(
        tag="jobs",
        summary="Run a job now",
        scope=Scope.WRITE,
        body=RunNow,
        body_example=RUN_NOW,
        keyed=True,
        answers={
            202: Returns(
                about="Accepted and durable; its outcome is found at Location.",
                kind=JobAccepted,
                example=ACCEPTED_JOB,
                headers={"Location": "Where the job is found."},
            )
        },
        problems=(400, 404, 409, 413, 415),
    )
    async def post(self) -> None:
        """Accept a job: it survives whatever happens to the server from here on, and has one outcome in the end.

        404 for a handler that never registered, 422 for a method that the handler does not have, 409 for an
        idempotency key that stands for another request.
        """
        job_id = await self.service.run_now(self.body(RunNow), idempotency_key=self.idempotency_key())
        self.answer(JobAccepted(job_id), 202, {"Location": f"/api/jobs/{job_id}"})


class JobsHandler(ApiHandler):
    """The jobs that have not ended."""

    @operation(
        tag="jobs",
        summary="Jobs that wait or are running",
        query=JobsQuery,
        answers={
            200: Returns(
                about="A page of them, in order of arrival.",
                kind=JobPage,
                example={"jobs": [WAITING_JOB], "next_cursor": None, "unreadable": []},
            )
        },
    )
    async def get(self) -> None:
        """Answer jobs that have been accepted and have no outcome yet; those that have one are executions."""
        query = self.query(JobsQuery)
        after = cursor_of(query.cursor, int) if query.cursor is not None else 0
        if not 0 <= after <= MOST:
            raise InvalidRequest("cursor", "expected the next_cursor of an earlier answer")
        page = await self.service.jobs(
            handler_id=query.handler_id,
            acquired=None if query.state is None else query.state == "running",
            after=after,
            limit=query.limit,
        )
        self.answer(JobPage(page.items, next_cursor(page), unreadable_views(page.wrong)))


class JobHandler(ApiHandler):
    """One job."""

    @operation(
        tag="jobs",
        summary="One job: its state, its outcome and result once it is done",
        path=_PATH,
        answers={200: Returns(about="The job.", kind=JobView, example=JOB)},
        problems=(404,),
    )
    async def get(self, job_id: str) -> None:
        """Answer where the job stands. It is found for as long as the log of executions keeps it."""
        self.answer(await self.service.job(job_id))

    @operation(
        tag="jobs",
        summary="Remove a job that waits",
        scope=Scope.WRITE,
        path=_PATH,
        answers={204: Returns(about="It has ended: cancelled.")},
        problems=(404, 409),
    )
    async def delete(self, job_id: str) -> None:
        """Drop a job that is not running, or that cannot be read: its outcome is `cancelled`.

        409 for one that is running, which ends by itself; 404 for one that has ended.
        """
        await self.service.remove_job(job_id)
        self.answer_nothing()
