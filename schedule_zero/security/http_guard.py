"""Who may send an HTTP request: its host, its origin, its token, its rate, its scope, in this order.

It knows nothing of Tornado; `http_hook` brings the two together.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.security.binding import check_http_binding, is_loopback
from schedule_zero.security.origins import Hosts, foreign_origin
from schedule_zero.security.rate_limit import RateLimit
from schedule_zero.security.scopes import Scope
from schedule_zero.security.sessions import Sessions
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import TokenFile, digest

__all__ = ["HttpGuard", "HttpRefusal", "Principal", "Request"]

_BEYOND = 200.0
"""Requests a second of one client, where others than this machine can be one and nothing is configured."""
_REALM = 'Bearer realm="schedule_zero"'


@dataclass(frozen=True)
class Request:
    """What counts of a request. ``address`` is the peer's; ``cookie`` the value of the session's, if there is one."""

    verb: str
    host: str
    address: str
    headers: Mapping[str, str]
    cookie: str | None = None


@dataclass(frozen=True)
class Principal:
    """Who sends a request; ``name`` is the token's, empty where nobody is asked for one."""

    name: str
    scope: Scope
    by_cookie: bool = False


class HttpRefusal(ScheduleZeroError):
    """A request that is refused, with the HTTP status and headers that say so."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


class HttpGuard:
    """Judges the requests of one server that listens on ``host``.

    ``local_token`` opens everything; the server leaves it in its runtime file, for its own user's eyes (the governor
    and the command line). Empty where nobody is asked for a token.
    """

    def __init__(self, settings: SecuritySettings, host: str) -> None:
        self.settings = settings
        self.sessions = Sessions(settings.session_lifetime)
        self.local_token = "" if settings.tokens is None else secrets.token_urlsafe(32)
        self._host = host
        self._hosts = Hosts(host, settings.hosts)
        self._tokens = None if settings.tokens is None else TokenFile(settings.tokens)
        rate = (0.0 if is_loopback(host) else _BEYOND) if settings.rate is None else settings.rate
        self._rate = RateLimit(rate, settings.burst)

    @property
    def asks(self) -> bool:
        """Whether requests need a token."""
        return self._tokens is not None

    def check_settings(self) -> None:
        """Raise ConfigError when it is not safe to listen so, or the tokens cannot be read."""
        check_http_binding(self._host, tokens=self.asks, insecure=self.settings.insecure)
        if self._tokens is not None:
            self._tokens.check()

    def admit(self, request: Request, needed: Scope) -> Principal:
        """Who sends this. Raises HttpRefusal for a request that is not to be answered."""
        if not self._hosts.has(request.host):
            raise HttpRefusal(
                421,
                f"this server is not called {request.host[:80]!r}: use its address, or name it in security.hosts",
            )
        self._check_origin(request, by_cookie=False)
        principal = self.principal(request)
        self._limit(request, principal)
        if principal is None:
            if needed is Scope.NONE:
                return Principal("", Scope.NONE)
            raise self._unknown(request)
        if principal.by_cookie:
            self._check_origin(request, by_cookie=True)
        if not principal.scope.includes(needed):
            raise HttpRefusal(
                403,
                f"token {principal.name!r} has scope {principal.scope.value}; this needs {needed.value}",
                {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{needed.value}"'},
            )
        return principal

    def principal(self, request: Request) -> Principal | None:
        """Who sends this, by its token or its session; None when it is nobody who is known."""
        if self._tokens is None:
            return Principal("", Scope.ADMIN)
        token = _bearer(request.headers)
        if token is not None:
            return self._by_token(self._tokens, token)
        sha256 = self.sessions.read(request.cookie) if request.cookie else None
        return None if sha256 is None else self._by_digest(self._tokens, sha256, by_cookie=True)

    def open_session(self, token: str) -> tuple[str, Principal]:
        """A cookie for who has this token. Raises HttpRefusal (401) when it is none."""
        principal = None if self._tokens is None else self._by_digest(self._tokens, digest(token), by_cookie=True)
        if principal is None:
            raise HttpRefusal(401, "this token is not known, or has expired", {"WWW-Authenticate": _REALM})
        return self.sessions.open(digest(token)), principal

    def _by_token(self, tokens: TokenFile, token: str) -> Principal | None:
        if hmac.compare_digest(digest(token), digest(self.local_token)):
            return Principal("local", Scope.ADMIN)
        return self._by_digest(tokens, digest(token), by_cookie=False)

    @staticmethod
    def _by_digest(tokens: TokenFile, sha256: str, *, by_cookie: bool) -> Principal | None:
        try:
            stored = tokens.find_digest(sha256)
        except ConfigError as error:
            raise HttpRefusal(503, "the server cannot read its tokens; its log says why") from error
        return None if stored is None else Principal(stored.name, stored.scope, by_cookie)

    def _limit(self, request: Request, principal: Principal | None) -> None:
        name = principal.name if principal is not None else ""
        wait = self._rate.take(f"token {name}" if name else f"address {request.address}")
        if wait > 0:
            raise HttpRefusal(
                429, f"too many requests: wait {wait:.2g} s", {"Retry-After": str(max(1, -int(-wait // 1)))}
            )

    @staticmethod
    def _check_origin(request: Request, *, by_cookie: bool) -> None:
        if reason := foreign_origin(request.verb, request.headers, request.host, by_cookie=by_cookie):
            raise HttpRefusal(403, f"sent by another site's page: {reason}")

    @staticmethod
    def _unknown(request: Request) -> HttpRefusal:
        if _bearer(request.headers) is None and not request.cookie:
            return HttpRefusal(
                401, "this needs a token: Authorization: Bearer TOKEN", {"WWW-Authenticate": _REALM}
            )
        return HttpRefusal(
            401,
            "this token is not known, or has expired",
            {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
        )


def _bearer(headers: Mapping[str, str]) -> str | None:
    """The token in an Authorization header; empty when it holds something else."""
    header = headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
