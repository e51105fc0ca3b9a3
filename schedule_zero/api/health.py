"""GET /api/health and GET /api/handlers: how the service and its handlers are."""

from __future__ import annotations

from schedule_zero.api.base import ApiHandler


class HealthHandler(ApiHandler):
    """Liveness and readiness, with parts. Always 200 while the server lives; with ``?ready=1``, 503 if a part
    fails.
    """

    async def get(self) -> None:
        """Answer the health."""
        health = await self.service.health()
        strict = self.get_query_argument("ready", "0") not in ("0", "false", "")
        self.answer(health, 503 if strict and not health.ok else 200)


class HandlersHandler(ApiHandler):
    """The registered handlers with their status."""

    async def get(self) -> None:
        """Answer the list."""
        self.answer({"handlers": self.service.handlers()})
