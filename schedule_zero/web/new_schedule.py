"""GET and POST /schedules/new: a schedule is added, or its fire times are shown beforehand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.security.scopes import Scope
from schedule_zero.web.form_fields import FIELDS, GROUPS, TYPES
from schedule_zero.web.page import Page
from schedule_zero.web.schedule_form import ScheduleForm, Wrong, fire_times
from schedule_zero.web.site import site_of

__all__ = ["NewSchedulePage"]


class NewSchedulePage(Page):
    """The form; what is wrong with it stands beside the field, and what was entered stays."""

    scope = Scope.WRITE
    strict = False

    async def get(self) -> None:
        """Answer an empty form, or one that has been begun by a link."""
        asked = {"handler_id": "handler", "job_method": "method"}
        given = {name: self.get_query_argument(query, "", strip=False) for name, query in asked.items()}
        handlers = self.service.handlers()
        if not given["handler_id"] and len(handlers) == 1:
            given["handler_id"] = handlers[0].id
        self._show(ScheduleForm.fresh(**given), fresh=True)

    async def post(self) -> None:
        """Add the schedule, and go to its page; or show when it would fire."""
        names = ("type", *FIELDS)
        form = ScheduleForm({name: self.get_body_argument(name, "", strip=False)[:1_000_000] for name in names})
        if self.is_stale:
            form.errors[""] = "The form had grown old. Look at it once more, and send it again."
            self._show(form, 403)
        elif self.get_body_argument("do", "") == "preview":
            self._preview(form)
        else:
            await self._add(form)

    async def _add(self, form: ScheduleForm) -> None:
        try:
            once = self.get_body_argument("once", "")[:100]
            schedule_id = await self.service.add_schedule(
                form.request(), idempotency_key=f"page {once}" if once else None
            )
        except (Wrong, ScheduleZeroError, msgspec.ValidationError) as error:
            form.blame(error)
            self._show(form, 422)
            return
        self.go("/schedule", id=schedule_id, done="added", done_id=schedule_id)

    def _preview(self, form: ScheduleForm) -> None:
        times: list[datetime] = []
        try:
            times = fire_times(form.trigger())
            if not times:
                form.errors["trigger"] = "It would never fire."
        except (Wrong, ScheduleZeroError) as error:
            form.blame(error)
        self._show(form, 200, times)

    def _show(
        self,
        form: ScheduleForm,
        status: int = 200,
        times: list[datetime] | None = None,
        fresh: bool = False,
    ) -> None:
        shared: dict[str, Any] = {"form": form, "handlers": self.service.handlers()}
        site = site_of(self.context)
        self.show(
            "new_schedule.html",
            status=status,
            groups=GROUPS,
            types=TYPES,
            times=times,
            fresh=fresh,
            field=lambda item: site.render("field.html", field=item, **shared),
            **shared,
        )
