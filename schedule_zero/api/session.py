"""GET, POST and DELETE /api/session: who asks, and how a browser stays known."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schedule_zero.api.base import ApiHandler
from schedule_zero.api.operations import Returns, operation
from schedule_zero.refusals import InvalidRequest
from schedule_zero.security.http_guard import Principal
from schedule_zero.security.http_hook import clear_session, guard_of, keep_session
from schedule_zero.security.scopes import Scope


class SessionView(msgspec.Struct, frozen=True):
    """Who asks; `asked` is whether this server asks for tokens at all, `scope` what may be done here and now."""

    asked: bool
    name: str
    scope: Scope


class NewSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token that a session is opened with."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


_EXAMPLE = {"asked": True, "name": "ci", "scope": "write"}
_ABOUT = "Who asks."


class SessionHandler(ApiHandler):
    """The session of a browser: a signed cookie in the place of a token."""

    @operation(
        tag="server",
        summary="Who asks",
        scope=Scope.NONE,
        answers={200: Returns(about=_ABOUT, kind=SessionView, example=_EXAMPLE)},
    )
    async def get(self) -> None:
        """Answer the name and scope of the token, or of the session, that came with the request."""
        self.answer(self._view(self.principal))

    @operation(
        tag="server",
        summary="Open a session",
        scope=Scope.NONE,
        body=NewSession,
        body_example={"token": "szt_..."},
        answers={200: Returns(about=f"{_ABOUT} The answer sets the cookie.", kind=SessionView, example=_EXAMPLE)},
        problems=(400, 401, 403, 413, 415),
    )
    async def post(self) -> None:
        """Open a session with a token; the cookie that is set does as well as the token, until it is revoked.

        422 where no tokens are asked for: there everybody may do everything, and there is nothing to open.
        """
        token = self.body(NewSession).token
        if not guard_of(self.context).asks:
            raise InvalidRequest("token", "this server asks for no token")
        self.answer(self._view(keep_session(self, token)))

    @operation(
        tag="server",
        summary="Close the session",
        scope=Scope.NONE,
        answers={204: Returns(about="The cookie is gone.")},
        problems=(403,),
    )
    async def delete(self) -> None:
        """Make the browser forget its session."""
        clear_session(self)
        self.answer_nothing()

    def _view(self, principal: Principal) -> SessionView:
        return SessionView(guard_of(self.context).asks, principal.name, principal.scope)
