"""GET and POST /schedules/change: a schedule gets another trigger."""

from __future__ import annotations

from typing import Any

from schedule_zero.web.form_page import FormPage
from schedule_zero.web.schedule_form import ScheduleForm
from schedule_zero.web.trigger_entries import entries

__all__ = ["ChangeSchedulePage"]


class ChangeSchedulePage(FormPage):
    """The part of the form that says when."""

    template = "change.html"

    async def get(self) -> None:
        """Answer the form with the trigger as it is."""
        schedule = await self.service.schedule(self._id)
        await self.fill_in(ScheduleForm(entries(schedule.trigger) or ScheduleForm.fresh().entered))

    async def around(self) -> dict[str, Any]:
        """The schedule as it is."""
        return {"schedule": await self.service.schedule(self._id)}

    async def take(self, form: ScheduleForm) -> None:
        """Reschedule it."""
        await self.service.reschedule(self._id, form.trigger())
        self.go("/schedule", id=self._id, done="changed", done_id=self._id)

    @property
    def _id(self) -> str:
        return self.get_argument("id", strip=False)
