"""What every page shares: who may see it, its headers, its forms, its errors."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import quote, urlencode

from tornado.web import HTTPError, RequestHandler

from schedule_zero.api.base import UnknownPath
from schedule_zero.api.context import ApiContext
from schedule_zero.api.problems import RETRY_AFTER, is_foreseen, problem_of
from schedule_zero.api.request_ids import name_request
from schedule_zero.errors import StoreUnusable
from schedule_zero.http_body import refusal_of
from schedule_zero.security.http_guard import Principal
from schedule_zero.security.http_hook import Refused, authorize, guard_of, request_of
from schedule_zero.security.scopes import Scope
from schedule_zero.service import SchedulerService
from schedule_zero.web import wording
from schedule_zero.web.site import site_of

__all__ = ["NoSuchPage", "Page", "link", "quiet"]

T = TypeVar("T")
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers would send forms with the origin null, which is refused.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STALE = (
    "This form was shown before the server started anew, or before you logged in or out. Go back, reload the page,"
    " and send it again."
)


class Page(RequestHandler):
    """A Tornado handler that answers HTML. `scope` is what its GET and POST need; None: what the verb needs."""

    scope: ClassVar[Scope | None] = None
    #: Whether a form without its token is refused before `post` is called; if not, `post` looks at `is_stale`.
    strict: ClassVar[bool] = True
    principal = Principal("", Scope.NONE)

    def initialize(self, route: str = "(pages)") -> None:
        """Take the name under which requests are counted."""
        self.route = route

    @property
    def context(self) -> ApiContext:
        """What this server's handlers share."""
        return cast("ApiContext", self.application.settings["context"])

    @property
    def service(self) -> SchedulerService:
        """The service under the pages."""
        return self.context.service

    def set_default_headers(self) -> None:
        """Nothing from elsewhere, nothing inline, no frames, no caching; name the request as the log does."""
        self.clear_header("Server")
        name_request(self)
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse who may not see this, or send them to log in; refuse forms that are not ours."""
        try:
            self.principal = authorize(self, self.scope)
        except Refused as refusal:
            if refusal.status_code == 401 and self.request.method in ("GET", "HEAD"):
                self.redirect(link("/login", next=self.request.uri or "/"), status=303)
                return
            raise
        if (wrong := refusal_of(self.request, self.service.config.security.max_body)) is not None:
            raise HTTPError(413, f"the form is too large: {wrong}")
        if self.request.method == "POST" and self.strict and self.is_stale:
            raise HTTPError(403, _STALE)

    @property
    def is_stale(self) -> bool:
        """Whether the form that was sent carries no token of this session."""
        return not site_of(self.context).is_token(self.get_body_argument("form_token", ""), self._session)

    @property
    def _session(self) -> str:
        return request_of(self).cookie or ""

    async def head(self) -> None:
        """Answer as GET does, without the body."""
        await cast("Any", self).get()

    def compute_etag(self) -> str | None:
        """No etags: pages are never cached."""
        return None

    def show(self, template: str, *, status: int = 200, **values: Any) -> None:
        """Answer a page."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(site_of(self.context).render(template, **self._shared(), **values))

    def _shared(self) -> dict[str, Any]:
        site = site_of(self.context)
        return {
            "words": wording,
            "link": link,
            "path": self.request.path,
            "deployment": self.service.config.deployment,
            "principal": self.principal,
            "asks": guard_of(self.context).asks,
            "may_see": self.principal.scope.includes(Scope.READ),
            "may_write": self.principal.scope.includes(Scope.WRITE),
            "may_admin": self.principal.scope.includes(Scope.ADMIN),
            "form_token": site.form_token(self._session),
            # A form that is sent twice does its work once.
            "once": str(uuid.uuid4()),
            "done": self.get_query_argument("done", ""),
            "done_id": self.get_query_argument("done_id", ""),
        }

    def go(self, path: str, **query: str) -> None:
        """Answer a form that was taken: the browser asks for another page, which can be reloaded."""
        self.redirect(link(path, **query), status=303)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as a page; nothing of a traceback leaves the server."""
        error = kwargs.get("exc_info", (None, None))[1]
        problem = problem_of(error, status_code)
        for name, content in getattr(error, "headers", {}).items():
            self.set_header(name, content)
        if problem.status == 405:
            self.set_header("Allow", "GET, HEAD, POST")
        if problem.status == 503:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.show("error.html", status=problem.status, problem=problem)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log a traceback of the unforeseen alone."""
        if not is_foreseen(value):
            logging.getLogger(__name__).error("%s %s failed", self.request.method, self.request.path, exc_info=value)


class NoSuchPage(Page):
    """Answers what no other page does: to browsers with a page, to programs as the API does."""

    strict = False

    def initialize(self, route: str = "(unknown)") -> None:
        """Count it as what it is."""
        super().initialize(route)

    def prepare(self) -> None:
        """Refuse; who may not ask is not told what there is."""
        if self._for_people:
            super().prepare()
        else:
            authorize(self)
        if not self._finished:
            raise HTTPError(404, f"there is nothing at {self.request.path[:200]}")

    @property
    def _for_people(self) -> bool:
        return "text/html" in self.request.headers.get("Accept", "")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As a page for whoever takes HTML, else as problem details."""
        if self._for_people:
            super().write_error(status_code, **kwargs)
        else:
            UnknownPath.write_error(cast("Any", self), status_code, **kwargs)

    verbs = UnknownPath.verbs


def link(path: str, **query: str | None) -> str:
    """An address on this server; what is None or empty is left out.

    >>> link("/schedule", id="a/b", done=None)
    '/schedule?id=a%2Fb'
    """
    given = {name: value for name, value in query.items() if value}
    return f"{quote(path)}?{urlencode(given, quote_via=quote, safe='')}" if given else quote(path)


async def quiet(*asked: Awaitable[Any]) -> list[Any]:
    """The answers to all of these at once; None in the place of those that the store did not give in time."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, StoreUnusable):
            raise answer
    return [None if isinstance(answer, BaseException) else answer for answer in answers]
