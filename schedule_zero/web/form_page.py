"""What the pages with a form for triggers share: its entries, its preview, its refusals."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.security.scopes import Scope
from schedule_zero.web.form_fields import FIELDS, GROUPS, TYPES
from schedule_zero.web.page import Page
from schedule_zero.web.schedule_form import ScheduleForm, Wrong, fire_times
from schedule_zero.web.site import site_of

__all__ = ["FormPage"]

#: Characters of one field that are looked at.
_MOST = 1_000_000


class FormPage(Page):
    """The form; what is wrong with it stands beside the field, and what was entered stays."""

    scope = Scope.WRITE
    strict = False
    template: ClassVar[str]

    @abstractmethod
    async def take(self, form: ScheduleForm) -> None:
        """Do what the form asks for, and go on to another page."""

    async def around(self) -> dict[str, Any]:
        """What else the template needs."""
        return {}

    async def post(self) -> None:
        """Take the form; or show when it would fire."""
        form = ScheduleForm({name: self.get_body_argument(name, "", strip=False)[:_MOST] for name in ("type", *FIELDS)})
        if self.is_stale:
            form.errors[""] = "The form had grown old. Look at it once more, and send it again."
            await self.fill_in(form, 403)
        elif self.get_body_argument("do", "") == "preview":
            await self._preview(form)
        else:
            try:
                await self.take(form)
            except (Wrong, ScheduleZeroError, msgspec.ValidationError) as error:
                form.blame(error)
                await self.fill_in(form, 422)

    async def _preview(self, form: ScheduleForm) -> None:
        times: list[datetime] = []
        try:
            times = fire_times(form.trigger())
            if not times:
                form.errors["trigger"] = "It would never fire."
        except (Wrong, ScheduleZeroError) as error:
            form.blame(error)
        await self.fill_in(form, 200, times)

    async def fill_in(
        self, form: ScheduleForm, status: int = 200, times: list[datetime] | None = None, *, fresh: bool = False
    ) -> None:
        """Answer the page with a form, and the fire times of a preview."""
        shared: dict[str, Any] = {"form": form, "handlers": self.service.handlers()}
        site = site_of(self.context)
        self.show(
            self.template,
            status=status,
            groups=GROUPS,
            types=TYPES,
            times=times,
            fresh=fresh,
            labels={name: item.label for name, item in FIELDS.items()},
            field=lambda item: site.render("field.html", field=item, **shared),
            **shared,
            **await self.around(),
        )
