"""The Tornado application over a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado.routing import Rule
from tornado.web import Application, RequestHandler, url

from schedule_zero.api.base import ApiHandler, UnknownPath
from schedule_zero.api.context import ApiContext
from schedule_zero.api.routes import ROUTES

__all__ = ["make_app"]


def make_app(context: ApiContext, more: Sequence[Rule] = (), **settings: Any) -> Application:
    """The application of one server; `more` are rules besides the API's (pages, static files), `settings` Tornado's.

    The service need not have been started yet.
    """
    rules = [url(route.pattern, route.handler, {"route": route.path}) for route in ROUTES]
    return Application(
        [*rules, *more],
        context=context,
        default_handler_class=UnknownPath,
        log_function=_count,
        **settings,
    )


def _count(handler: RequestHandler) -> None:
    """Count a request that was answered; a line in the log for each would drown what matters."""
    context = handler.application.settings["context"]
    route = getattr(handler, "route", "") or "(pages)"
    verb = handler.request.method or ""
    known = verb if verb in handler.SUPPORTED_METHODS else "(other)"
    timed = not isinstance(handler, ApiHandler) or handler.timed
    seconds = handler.request.request_time() if timed else None
    context.metrics.requested(known, route, handler.get_status(), seconds)
