"""GET /api/governor and POST /api/governor/handlers/{id}/restart."""

from __future__ import annotations

import msgspec

from schedule_zero.api.answers import Governed, GovernorView, Restarted
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import GOVERNOR
from schedule_zero.api.operations import Returns, Scope, operation


class GovernorHandler(ApiHandler):
    """The governor of this server."""

    @operation(
        tag="governor",
        summary="The governor, and the processes that it keeps",
        answers={200: Returns(about="What it says of them.", kind=GovernorView, example=GOVERNOR)},
    )
    async def get(self) -> None:
        """Answer what the governor of this server's deployment says; `running` is false where none runs it."""
        governor = await self.context.governor.find()
        if governor is None:
            self.answer(GovernorView(False))
            return
        status = await self.context.governor.status(governor)
        services = [msgspec.convert(info, Governed) for info in status.values()]
        self.answer(GovernorView(True, governor.record.pid, services))


class RestartHandler(ApiHandler):
    """Restarts of one handler."""

    @operation(
        tag="governor",
        summary="Restart a handler",
        scope=Scope.ADMIN,
        path={"handler_id": "The id of a handler that the governor keeps."},
        answers={
            200: Returns(about="It was restarted.", kind=Restarted, example={"handler_id": "till", "ready": True})
        },
        problems=(404, 409),
    )
    async def post(self, handler_id: str) -> None:
        """Restart the handler's process and wait until it is ready: its calls end first, as at a stop.

        404 for a handler that the governor does not keep, 409 where no governor runs this server.
        """
        ready = await self.context.governor.restart_handler(handler_id)
        self.answer(Restarted(handler_id, ready))
