"""POST /api/schedule, GET /api/schedules and GET, PATCH, DELETE /api/schedules/{id}."""

from __future__ import annotations

from urllib.parse import quote

from schedule_zero.api.base import ApiHandler
from schedule_zero.requests import NewSchedule, ScheduleChange


class NewScheduleHandler(ApiHandler):
    """Takes new schedules."""

    async def post(self) -> None:
        """Add a schedule: 201 with its id, once it is durable."""
        schedule_id = await self.service.add_schedule(
            self.body(NewSchedule), idempotency_key=self.idempotency_key()
        )
        self.answer(
            {"schedule_id": schedule_id}, 201, {"Location": f"/api/schedules/{quote(schedule_id, safe='')}"}
        )


class SchedulesHandler(ApiHandler):
    """All schedules."""

    async def get(self) -> None:
        """Answer the list, by id."""
        self.answer({"schedules": await self.service.schedules()})


class ScheduleHandler(ApiHandler):
    """One schedule."""

    async def get(self, schedule_id: str) -> None:
        """Answer it."""
        self.answer(await self.service.schedule(schedule_id))

    async def patch(self, schedule_id: str) -> None:
        """Pause, resume or reschedule it; answers what it is then."""
        self.answer(await self.service.change_schedule(schedule_id, self.body(ScheduleChange)))

    async def delete(self, schedule_id: str) -> None:
        """Remove it."""
        await self.service.remove(schedule_id)
        self.set_status(204)
        self.finish()
