"""GET and POST /login, POST /logout: a token opens a session in this browser."""

from __future__ import annotations

from schedule_zero.security.http_hook import Refused, clear_session, guard_of, keep_session
from schedule_zero.security.scopes import Scope
from schedule_zero.web.page import Page

__all__ = ["LoginPage", "LogoutPage", "own_path"]

#: The longest token that is looked at.
_MOST = 200


class LoginPage(Page):
    """Where somebody says who they are."""

    scope = Scope.NONE
    strict = False

    async def get(self) -> None:
        """Answer the form; where no tokens are asked for there is nothing to do here."""
        if not guard_of(self.context).asks:
            self.go("/")
            return
        self._ask(self.get_query_argument("next", ""))

    async def post(self) -> None:
        """Open a session, and go on to the page that was wanted."""
        after = self.get_body_argument("next", "")
        token = self.get_body_argument("token", "")
        if self.is_stale:
            self._ask(after, "The form had grown old. Enter the token once more.", 403)
        elif not 0 < len(token) <= _MOST:
            self._ask(after, "Enter a token. It begins with szt_.", 422)
        else:
            try:
                keep_session(self, token)
            except Refused as refusal:
                self._ask(after, f"{str(refusal.log_message).capitalize()}.", refusal.status_code)
                return
            # Not with self.go: this one has its own query.
            self.redirect(own_path(after), status=303)

    def _ask(self, after: str, error: str = "", status: int = 200) -> None:
        self.show("login.html", status=status, after=own_path(after), error=error)


class LogoutPage(Page):
    """POST /logout."""

    scope = Scope.NONE

    async def post(self) -> None:
        """Make the browser forget its session."""
        clear_session(self)
        self.go("/login")


def own_path(text: str) -> str:
    """The path, if it leads to a page of this server; else the dashboard.

    >>> [own_path(text) for text in ("/job?id=5", "//evil.example", "https://evil.example", "/\\\\evil.example", "")]
    ['/job?id=5', '/', '/', '/', '/']
    """
    leads_away = not text.startswith("/") or text[1:2] in ("/", "\\") or any(ord(sign) < 33 for sign in text)
    return "/" if leads_away or text.startswith("/login") else text
