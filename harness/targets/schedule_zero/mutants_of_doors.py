"""Defects in who is let in (see `mutants`)."""

from __future__ import annotations

from typing import Any

from harness.targets.schedule_zero.mutant_registry import mutant


@mutant("tokens-not-asked")
def _tokens_not_asked() -> None:
    """Whoever sends no token, or any, may do everything."""
    from schedule_zero.security.http_guard import HttpGuard, Principal
    from schedule_zero.security.scopes import Scope

    principal = HttpGuard.principal

    def anybody(self: Any, request: Any) -> Principal:
        return principal(self, request) or Principal("", Scope.ADMIN)

    HttpGuard.principal = anybody  # type: ignore[method-assign]


@mutant("scopes-ignored")
def _scopes_ignored() -> None:
    """A token that may read may write and administer as well."""
    from schedule_zero.security.scopes import Scope

    Scope.includes = lambda self, other: True  # type: ignore[method-assign]


@mutant("foreign-pages-served")
def _foreign_pages_served() -> None:
    """A request that another site's page made a browser send is carried out."""
    from schedule_zero.security.http_guard import HttpGuard

    HttpGuard._check_origin = staticmethod(lambda request, *, by_cookie: None)  # type: ignore[method-assign]


@mutant("strangers-let-in")
def _strangers_let_in() -> None:
    """The registration takes connections with any key."""
    from schedule_zero.security.server_keys import ServerKeys

    ServerKeys.accepts = lambda self, public: True  # type: ignore[method-assign]


@mutant("names-not-checked")
def _names_not_checked() -> None:
    """Whoever has a handler's key may register under another's name."""
    from schedule_zero.security.server_keys import ServerKeys

    ServerKeys.may_be = lambda self, public, handler_id: True  # type: ignore[method-assign]


@mutant("handlers-obey-anyone")
def _handlers_obey_anyone() -> None:
    """A handler answers callers with any key."""
    from schedule_zero.security.curve import HandlerKeys

    HandlerKeys.accepts = lambda self, public: True  # type: ignore[method-assign]
