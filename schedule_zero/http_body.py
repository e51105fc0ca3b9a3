"""The body of an HTTP request is read up to a limit, and what is beyond is passed over.

A request with a larger body is answered as soon as that shows, by its length or when the limit is reached, and not
when all of it has come. Then the rest is read and dropped for a while: a connection that is closed while its peer still
sends is reset, and takes the answer along.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = ["LimitedBody", "refusal_of"]

#: Seconds for which the rest of a refused body is taken.
LINGER: Final = 5.0
#: Bytes of it that are taken at most.
PASSED_OVER: Final = 64 << 20


def announced(headers: HTTPHeaders) -> int:
    """The length that a request says its body has; 0 for one that does not say.

    >>> announced(HTTPHeaders({"Content-Length": "20"}))
    20
    """
    # What is no number Tornado refuses; of several that are equal it takes one.
    text = headers.get("Content-Length", "").partition(",")[0].strip()
    if not (text.isascii() and text.isdecimal()):
        return 0
    return int(text) if len(text) < 20 else sys.maxsize


def refusal_of(request: HTTPServerRequest, most: int) -> str | None:
    """What is wrong with the size of a request's body; None if it has `most` bytes at most."""
    size = max(len(request.body), announced(request.headers))
    if size <= most:
        return None
    # One that tells no length has been read until there was too much, and no further.
    found = size if "Content-Length" in request.headers else f"more than {most}"
    return f"the body has {found} bytes; at most {most} are taken"


class LimitedBody(HTTPMessageDelegate):
    """Hands one request to the delegate that `begin` makes, with a body of little more than `most` bytes at most.

    For a larger one the delegate's `finish` is called early: its handler is to refuse it, see `refusal_of`.
    """

    def __init__(
        self, begin: Callable[[HTTPConnection], HTTPMessageDelegate], connection: HTTPConnection, most: int
    ) -> None:
        self._most = most
        self._answer = _Answer(connection)
        self._inner = begin(self._answer)
        self._headers = HTTPHeaders()
        self._taken = 0
        self._refused = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is there: refuse a body that is announced to be too large."""
        self._headers = headers
        handed_on = self._inner.headers_received(start_line, headers)
        if announced(headers) <= self._most:
            return handed_on
        waits = headers.get("Expect", "").lower() == "100-continue"
        self._refuse(linger=not waits)
        # Who waits for leave to send gets the refusal in its place, and has nothing on the way that would be lost.
        return self._answer.ended if waits else None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A piece of the body is there: hand it on, or pass over it."""
        self._taken += len(chunk)
        if not self._refused:
            handed_on = self._inner.data_received(chunk)
            if self._taken > self._most:
                self._refuse(linger=True)
            return handed_on
        if self._taken > self._most + PASSED_OVER:
            self._answer.let_go()
        return None

    def finish(self) -> None:
        """All of the body has come."""
        if self._refused:
            self._answer.let_go()
        else:
            self._inner.finish()

    def on_connection_close(self) -> None:
        """The peer has gone."""
        self._answer.lost()
        self._inner.on_connection_close()

    def _refuse(self, *, linger: bool) -> None:
        self._refused = True
        # Nobody is to make sense of a part of it.
        self._headers.pop("Content-Type", None)
        if linger:
            self._answer.hold(LINGER)
        self._inner.finish()


class _Answer(HTTPConnection):
    """A connection on which an answer that was sent ends later, if it is held: Tornado closes it at that end."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._held: asyncio.TimerHandle | None = None
        #: Done when the handler has sent the whole answer.
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def hold(self, seconds: float) -> None:
        """Do not end before `let_go` is called, or that many seconds are over."""
        self._held = asyncio.get_running_loop().call_later(seconds, self.let_go)

    def let_go(self) -> None:
        """End what has been sent, or will be."""
        if self._held is not None:
            self.lost()
            if self.ended.done():
                self._connection.finish()

    def lost(self) -> None:
        """There is nothing left to hold."""
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> asyncio.Future[None]:
        return self._connection.write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        return self._connection.write(chunk)

    def finish(self) -> None:
        if self._held is None:
            self._connection.finish()
        if not self.ended.done():
            self.ended.set_result(None)
