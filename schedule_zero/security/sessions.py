"""Signed cookies for people: what a token opened, a browser keeps open for a while.

The cookie holds no token. It says which token it was made with (by its hash) and until when it counts, signed
with a key that dies with the server process. It ends with its token: revoked or expired, at the next request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import msgspec

__all__ = ["Sessions"]


class _Session(msgspec.Struct, frozen=True):
    token: str
    until: float


class Sessions:
    """Makes and reads cookies that are valid for ``lifetime`` seconds."""

    def __init__(self, lifetime: float, *, clock: Callable[[], float] | None = None) -> None:
        self.lifetime = lifetime
        self._clock = clock
        # Made when it is first needed: most servers have no sessions.
        self._key = b""

    def open(self, token_digest: str) -> str:
        """The value of a cookie that stands for a token, which is named by its hash."""
        content = _text(msgspec.json.encode(_Session(token_digest, self._now() + self.lifetime)))
        return f"{content}.{self._signature(content)}"

    def read(self, cookie: str) -> str | None:
        """The hash of the token that a cookie stands for; None for one that is forged, altered or too old."""
        content, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return None
        session = msgspec.json.decode(base64.urlsafe_b64decode(content), type=_Session)
        return session.token if self._now() < session.until else None

    def _now(self) -> float:
        return time.time() if self._clock is None else self._clock()

    def _signature(self, content: str) -> str:
        self._key = self._key or secrets.token_bytes(32)
        return _text(hmac.new(self._key, content.encode("utf-8", "surrogatepass"), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")
