"""GET and POST /schedules/new: a schedule is added."""

from __future__ import annotations

from schedule_zero.web.form_page import FormPage
from schedule_zero.web.schedule_form import ScheduleForm

__all__ = ["NewSchedulePage"]


class NewSchedulePage(FormPage):
    """The form for a new schedule."""

    template = "new_schedule.html"

    async def get(self) -> None:
        """Answer an empty form, or one that has been begun by a link."""
        asked = {"handler_id": "handler", "job_method": "method"}
        given = {name: self.get_query_argument(query, "", strip=False) for name, query in asked.items()}
        handlers = self.service.handlers()
        if not given["handler_id"] and len(handlers) == 1:
            given["handler_id"] = handlers[0].id
        await self.fill_in(ScheduleForm.fresh(**given), fresh=True)

    async def take(self, form: ScheduleForm) -> None:
        """Add the schedule; the form sent twice adds one."""
        once = self.get_body_argument("once", "")[:100]
        key = f"page {once}" if once else None
        schedule_id = await self.service.add_schedule(form.request(), idempotency_key=key)
        self.go("/schedule", id=schedule_id, done="added", done_id=schedule_id)
