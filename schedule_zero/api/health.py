"""GET /api/health, /api/handlers, /api/handlers/{id} and /api/config: how the server and its handlers are."""

from __future__ import annotations

from schedule_zero.api.answers import ConfigView, HandlerList
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import CONFIG, HANDLER, HEALTH
from schedule_zero.api.operations import Returns, Scope, operation
from schedule_zero.api.queries import HealthQuery
from schedule_zero.service import SchedulerService
from schedule_zero.views import HandlerView, Health


class HealthHandler(ApiHandler):
    """Liveness and readiness."""

    @operation(
        tag="server",
        summary="Whether the server lives, and how its parts are",
        scope=Scope.NONE,
        query=HealthQuery,
        answers={
            200: Returns(about="It lives; what does not work says so.", kind=Health, example=HEALTH),
            503: Returns(about="A part does not work, and `ready` was asked for.", kind=Health),
        },
    )
    async def get(self) -> None:
        """Answer at once, also while the store is locked: 200 as long as the server lives (liveness), or with
        `ready` only if every part works (readiness).
        """
        strict = self.query(HealthQuery).ready
        health = await self.service.health()
        self.answer(health, 503 if strict and not health.ok else 200)


class HandlersHandler(ApiHandler):
    """The registered handlers."""

    @operation(
        tag="handlers",
        summary="All handlers with their status",
        answers={200: Returns(about="Those that have registered.", kind=HandlerList, example={"handlers": [HANDLER]})},
    )
    async def get(self) -> None:
        """Answer every handler that has registered and was not forgotten, connected or not."""
        self.answer(HandlerList(self.service.handlers()))


class HandlerHandler(ApiHandler):
    """One handler."""

    @operation(
        tag="handlers",
        summary="One handler with its status",
        path={"handler_id": "The id under which it registers."},
        answers={200: Returns(about="The handler.", kind=HandlerView, example=HANDLER)},
        problems=(404,),
    )
    async def get(self, handler_id: str) -> None:
        """Answer the handler as the registry sees it now."""
        self.answer(self.service.handler(handler_id))


class ConfigHandler(ApiHandler):
    """The settings in force."""

    @operation(
        tag="server",
        summary="The settings in force, without secrets",
        scope=Scope.ADMIN,
        answers={200: Returns(about="The settings.", kind=ConfigView, example=CONFIG)},
    )
    async def get(self) -> None:
        """Answer what is configured. What is not listed here by name is not told: keys, tokens, passwords, paths."""
        self.answer(config_view(self.service, self.context.http_port))


def config_view(service: SchedulerService, http_port: int) -> ConfigView:
    """The settings of a service that may be told."""
    import importlib.metadata  # a start of the server need not wait for it

    config = service.config
    scheme = config.store_url.partition(":")[0].partition("+")[0]
    return ConfigView(
        deployment=config.deployment,
        version=importlib.metadata.version("harness"),
        http={"host": config.http_host, "port": http_port},
        zmq={"host": config.zmq_host, "port": int(service.registration_address.rpartition(":")[2])},
        store=scheme,
        lease=config.lease,
        max_jobs=config.max_jobs,
        per_handler_jobs=config.per_handler_jobs,
        misfire_grace=config.misfire_grace,
        call_timeout=config.call_timeout,
        stop_timeout=config.stop_timeout,
        heartbeat=config.heartbeat,
        heartbeat_timeout=config.heartbeat_timeout,
        retry={name: getattr(config.retry, name) for name in ("attempts", "base", "factor", "jitter", "retry_errors")},
        executions_max_age=config.executions_max_age,
        executions_max_count=config.executions_max_count,
    )
