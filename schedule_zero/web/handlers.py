"""The pages of handlers: who there is, and a restart where a governor keeps them."""

from __future__ import annotations

from typing import Any

from schedule_zero.governor_link import GovernorSilent
from schedule_zero.security.scopes import Scope
from schedule_zero.web.page import Page

__all__ = ["HandlersPage", "RestartPage"]


class HandlersPage(Page):
    """All handlers."""

    async def get(self) -> None:
        """Answer those that have registered, with what the governor says of them."""
        governed, trouble = await self._governed()
        registered = self.service.handlers()
        known = {handler.id for handler in registered}
        # What the governor keeps and has never registered is what somebody looks for here.
        missing = [name for name in governed if name not in known and name != "server"]
        self.show(
            "handlers.html",
            handlers=registered,
            governed=governed,
            missing=missing,
            trouble=trouble,
            registration=self._registration,
            keyed=self.service.config.security.keys is not None,
        )

    @property
    def _registration(self) -> str:
        """Where handlers register, by the name under which this browser knows the server if any name will do."""
        place, _, port = self.service.registration_address.rpartition(":")
        anywhere = place.removeprefix("tcp://") in ("0.0.0.0", "[::]", "*")
        return f"tcp://{self.request.host_name}:{port}" if anywhere else f"{place}:{port}"

    async def _governed(self) -> tuple[dict[str, dict[str, Any]], str]:
        link = self.context.governor
        try:
            governor = await link.find()
            return ({} if governor is None else await link.status(governor)), ""
        except GovernorSilent as error:
            return {}, str(error)


class RestartPage(Page):
    """POST /handlers/restart."""

    scope = Scope.ADMIN

    async def post(self) -> None:
        """Restart a handler and wait until it is ready."""
        handler_id = self.get_body_argument("id", strip=False)
        ready = await self.context.governor.restart_handler(handler_id)
        self.go("/handlers", done="restarted" if ready else "not-ready", done_id=handler_id)
