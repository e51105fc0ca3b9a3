"""Which path leads where: the one list that the application and the document are made from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schedule_zero.api.base import ApiHandler
from schedule_zero.api.events import EventsHandler
from schedule_zero.api.executions import ExecutionErrorsHandler, ExecutionsHandler, ExecutionStatsHandler
from schedule_zero.api.governor import GovernorHandler, RestartHandler
from schedule_zero.api.health import ConfigHandler, HandlerHandler, HandlersHandler, HealthHandler
from schedule_zero.api.jobs import JobHandler, JobsHandler, RunNowHandler
from schedule_zero.api.meta import DocumentHandler, MetricsHandler
from schedule_zero.api.schedules import NewScheduleHandler, ScheduleHandler, SchedulesHandler
from schedule_zero.api.session import SessionHandler

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Route:
    """A path, with its parameters in braces, and its handler."""

    path: str
    handler: type[ApiHandler]

    @property
    def pattern(self) -> str:
        """The regular expression of the path.

        >>> Route("/api/jobs/{job_id}", ApiHandler).pattern
        '/api/jobs/([^/]+)'
        """
        return _PARAMETER.sub("([^/]+)", self.path)

    @property
    def parameters(self) -> list[str]:
        """The names in braces, in order."""
        return _PARAMETER.findall(self.path)


ROUTES = (
    Route("/api/health", HealthHandler),
    Route("/api/handlers", HandlersHandler),
    Route("/api/handlers/{handler_id}", HandlerHandler),
    Route("/api/run_now", RunNowHandler),
    Route("/api/jobs", JobsHandler),
    Route("/api/jobs/{job_id}", JobHandler),
    Route("/api/schedule", NewScheduleHandler),
    Route("/api/schedules", SchedulesHandler),
    Route("/api/schedules/{schedule_id}", ScheduleHandler),
    Route("/api/executions", ExecutionsHandler),
    Route("/api/executions/stats", ExecutionStatsHandler),
    Route("/api/executions/errors", ExecutionErrorsHandler),
    Route("/api/events", EventsHandler),
    Route("/api/governor", GovernorHandler),
    Route("/api/governor/handlers/{handler_id}/restart", RestartHandler),
    Route("/api/config", ConfigHandler),
    Route("/api/session", SessionHandler),
    Route("/api/openapi.json", DocumentHandler),
    Route("/metrics", MetricsHandler),
)
"""All of the API."""
