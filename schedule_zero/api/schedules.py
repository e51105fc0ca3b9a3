"""POST /api/schedule, GET /api/schedules and GET, PATCH, DELETE /api/schedules/{id}."""

from __future__ import annotations

from urllib.parse import quote

from schedule_zero.api.answers import ScheduleAccepted, SchedulePage
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import ACCEPTED_SCHEDULE, CHANGE, NEW_SCHEDULE, SCHEDULE, UNREADABLE
from schedule_zero.api.operations import Returns, Scope, operation
from schedule_zero.api.queries import SchedulesQuery, cursor_of, next_cursor
from schedule_zero.api.trigger_bodies import check_trigger
from schedule_zero.requests import NewSchedule, ScheduleChange
from schedule_zero.views import ScheduleView, unreadable_views

_PATH = {"schedule_id": "The id that the schedule got when it was added."}


class NewScheduleHandler(ApiHandler):
    """Takes new schedules."""

    @operation(
        tag="schedules",
        summary="Add a schedule",
        scope=Scope.WRITE,
        body=NewSchedule,
        body_example=NEW_SCHEDULE,
        keyed=True,
        answers={
            201: Returns(
                about="Added and durable.",
                kind=ScheduleAccepted,
                example=ACCEPTED_SCHEDULE,
                headers={"Location": "Where the schedule is found."},
            )
        },
        problems=(400, 404, 409, 413, 415),
    )
    async def post(self) -> None:
        """Add a schedule under `job_id`, or under an id that is made up for it.

        404 for a handler that never registered; 422 for a method that the handler does not have and for a trigger
        that makes no sense or never fires; 409 for an id that is taken, unless `conflict_policy` says otherwise,
        and for an idempotency key that stands for another request.
        """
        request = self.body(NewSchedule)
        check_trigger(request.trigger)
        schedule_id = await self.service.add_schedule(request, idempotency_key=self.idempotency_key())
        place = f"/api/schedules/{quote(schedule_id, safe='')}"
        self.answer(ScheduleAccepted(schedule_id), 201, {"Location": place})


class SchedulesHandler(ApiHandler):
    """All schedules."""

    @operation(
        tag="schedules",
        summary="Schedules by id",
        query=SchedulesQuery,
        answers={
            200: Returns(
                about="A page of them.",
                kind=SchedulePage,
                example={"schedules": [SCHEDULE], "next_cursor": None, "unreadable": [UNREADABLE]},
            )
        },
    )
    async def get(self) -> None:
        """Answer schedules in the order of their ids, so that following the cursor meets each once."""
        query = self.query(SchedulesQuery)
        page = await self.service.schedules_page(
            handler_id=query.handler_id,
            after="" if query.cursor is None else cursor_of(query.cursor, str),
            limit=query.limit,
        )
        self.answer(SchedulePage(page.items, next_cursor(page), unreadable_views(page.wrong)))


class ScheduleHandler(ApiHandler):
    """One schedule."""

    @operation(
        tag="schedules",
        summary="One schedule",
        path=_PATH,
        answers={200: Returns(about="The schedule.", kind=ScheduleView, example=SCHEDULE)},
        problems=(404,),
    )
    async def get(self, schedule_id: str) -> None:
        """Answer the schedule with its next and last fire times."""
        self.answer(await self.service.schedule(schedule_id))

    @operation(
        tag="schedules",
        summary="Pause, resume or reschedule",
        scope=Scope.WRITE,
        path=_PATH,
        body=ScheduleChange,
        body_example=CHANGE,
        answers={200: Returns(about="The schedule as it is then.", kind=ScheduleView, example=SCHEDULE)},
        problems=(400, 404, 413, 415),
    )
    async def patch(self, schedule_id: str) -> None:
        """Change what the body names, all at once, and leave the rest: `paused` true pauses and false resumes,
        `trigger` gives it another trigger. With both, it does not fire in between.
        """
        change = self.body(ScheduleChange)
        check_trigger(change.trigger)
        self.answer(await self.service.change_schedule(schedule_id, change))

    @operation(
        tag="schedules",
        summary="Remove a schedule",
        scope=Scope.WRITE,
        path=_PATH,
        answers={204: Returns(about="It is gone; jobs that it has made stay.")},
        problems=(404,),
    )
    async def delete(self, schedule_id: str) -> None:
        """Remove the schedule; it makes no further job."""
        await self.service.remove(schedule_id)
        self.answer_nothing()
