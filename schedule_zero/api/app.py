"""The Tornado application: which path leads where."""

from __future__ import annotations

from typing import Any

from tornado.web import Application, RequestHandler, url

from schedule_zero.api.base import UnknownPath
from schedule_zero.api.executions import ExecutionErrorsHandler, ExecutionsHandler, ExecutionStatsHandler
from schedule_zero.api.health import HandlersHandler, HealthHandler
from schedule_zero.api.jobs import JobHandler, RunNowHandler
from schedule_zero.api.schedules import NewScheduleHandler, ScheduleHandler, SchedulesHandler
from schedule_zero.service import SchedulerService


def make_app(service: SchedulerService) -> Application:
    """The application over a service that has been started."""
    routes = [
        url(r"/api/health", HealthHandler),
        url(r"/api/handlers", HandlersHandler),
        url(r"/api/run_now", RunNowHandler),
        url(r"/api/jobs/([^/]+)", JobHandler),
        url(r"/api/schedule", NewScheduleHandler),
        url(r"/api/schedules", SchedulesHandler),
        url(r"/api/schedules/([^/]+)", ScheduleHandler),
        url(r"/api/executions", ExecutionsHandler),
        url(r"/api/executions/stats", ExecutionStatsHandler),
        url(r"/api/executions/errors", ExecutionErrorsHandler),
    ]
    settings: dict[str, Any] = {
        "service": service,
        "default_handler_class": UnknownPath,
        "log_function": _log_nothing,
    }
    return Application(routes, **settings)


def _log_nothing(handler: RequestHandler) -> None:
    """Access logging is a matter of logging configuration, at debug level, not one line a request at info."""
