"""The guard of a server, in front of each of its Tornado handlers."""

from __future__ import annotations

import logging
from http.cookies import CookieError
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError, RequestHandler

from schedule_zero.security.http_guard import HttpGuard, HttpRefusal, Principal, Request
from schedule_zero.security.scopes import Scope, scope_of_verb

if TYPE_CHECKING:
    from schedule_zero.api.context import ApiContext

__all__ = [
    "Refused",
    "authorize",
    "clear_session",
    "cookie_name",
    "guard_of",
    "is_still_admitted",
    "keep_session",
    "request_of",
]

_log = logging.getLogger(__name__)


class Refused(HTTPError):
    """A refusal as Tornado takes it; ``headers`` go with the answer."""

    def __init__(self, refusal: HttpRefusal) -> None:
        super().__init__(refusal.status, str(refusal))
        self.headers = refusal.headers


def guard_of(context: ApiContext) -> HttpGuard:
    """The one guard of a server; it is made when it is first asked for, so that none can be without."""
    guard = context.extensions.get("guard")
    if not isinstance(guard, HttpGuard):
        config = context.service.config
        guard = context.extensions["guard"] = HttpGuard(config.security, config.http_host)
    return guard


def authorize(handler: RequestHandler, needed: Scope | None = None) -> Principal:
    """Who sends the request that ``handler`` is about to answer. To be called first of all in ``prepare``.

    ``needed`` is the scope; None asks the operation that is declared for the verb, or the verb itself. Raises
    :class:`Refused`, which becomes 401, 403, 421, 429 or 503.
    """
    guard = guard_of(handler.settings["context"])
    verb = handler.request.method or ""
    if needed is None:
        declared: Any = getattr(handler, "operation", None)
        needed = Scope(declared.scope.value) if declared is not None else scope_of_verb(verb)
    try:
        return guard.admit(request_of(handler), needed)
    except HttpRefusal as refusal:
        if refusal.__cause__ is not None:
            _log.error("everybody is refused: %s", refusal.__cause__)
        raise Refused(refusal) from None


def is_still_admitted(handler: RequestHandler, needed: Scope) -> bool:
    """Whether who sent this request, a while ago, may still have what needs this scope: for an answer without an end.

    Not counted as a request. Nobody may while the tokens cannot be read.
    """
    try:
        principal = guard_of(handler.settings["context"]).principal(request_of(handler))
    except HttpRefusal:
        return False
    return principal is not None and principal.scope.includes(needed)


def request_of(handler: RequestHandler) -> Request:
    """What the guard wants to know of a request."""
    request = handler.request
    try:
        cookie = handler.get_cookie(cookie_name(handler))
    except CookieError:
        cookie = None
    return Request(request.method or "", request.host, request.remote_ip or "", request.headers, cookie)


def cookie_name(handler: RequestHandler) -> str:
    """The cookie of this deployment: cookies know no ports, and two deployments may share a host."""
    config = handler.settings["context"].service.config
    return f"{'__Host-' if config.security.secure_cookie else ''}schedule_zero_{config.deployment}"


def keep_session(handler: RequestHandler, token: str) -> Principal:
    """Let the browser of whoever has this token go on without it. Raises :class:`Refused` (401)."""
    guard = guard_of(handler.settings["context"])
    try:
        value, principal = guard.open_session(token)
    except HttpRefusal as refusal:
        raise Refused(refusal) from None
    handler.set_cookie(
        cookie_name(handler),
        value,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=guard.settings.secure_cookie,
        max_age=int(guard.settings.session_lifetime),
    )
    return principal


def clear_session(handler: RequestHandler) -> None:
    """Make the browser forget its session."""
    secure = guard_of(handler.settings["context"]).settings.secure_cookie
    handler.clear_cookie(cookie_name(handler), path="/", secure=secure)
