"""Tornado's HTTP server with an end to patience: for slow senders, for large requests, for too many connections."""

from __future__ import annotations

import copy
import resource
import sys
from collections.abc import Awaitable
from functools import partial

from tornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream
from tornado.web import Application

from schedule_zero.http_body import LimitedBody
from schedule_zero.http_crowd import Crowd

__all__ = ["PatientServer", "most_connections"]

#: The largest head of a request, in bytes.
_MAX_HEAD = 32 * 1024
#: Seconds in which a request's head must be there, counted from the end of the one before it, and then its body.
PATIENCE = 60.0
#: Seconds in which the first head of a connection must be there: nobody connects long before he has something to ask.
FIRST_PATIENCE = 10.0
#: Connections at the same time, where the process may have that many: two thousand callers of one machine find places.
_MOST_CONNECTIONS = 3000


def most_connections() -> int:
    """How many connections leave enough descriptors for all else that the process does.

    Tornado spins on a listening socket that it has no descriptor for, and the store cannot open its file again.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(_MOST_CONNECTIONS, soft // 2))


class PatientServer(HTTPServer):
    """A server for `app`, whose handlers refuse bodies of more than `max_body` bytes.

    `crowd` says who gets a place; without one it is a new one with as many as the process can have.
    """

    def initialize(self, app: Application, max_body: int, crowd: Crowd | None = None) -> None:  # type: ignore[override]
        """Called with the arguments of the class: HTTPServer is Configurable."""
        super().initialize(
            app,
            max_body_size=sys.maxsize,  # beyond `max_body` the client is told why, whatever the size
            max_buffer_size=max(4 * max_body, 4 * _MAX_HEAD),
            max_header_size=_MAX_HEAD,
            idle_connection_timeout=FIRST_PATIENCE,
            body_timeout=PATIENCE,
        )
        self.crowd = Crowd(most_connections()) if crowd is None else crowd
        self._max_body = max_body
        self._later = copy.copy(self.conn_params)
        self._later.header_timeout = PATIENCE

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        """Serve a connection, or close it if there are too many."""
        if self.crowd.enter(stream, str(address[0])):
            super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Called when a connection is there, and again whenever a request of it was answered."""
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.crowd.silent(server_conn.stream)
        begin = partial(super().start_request, server_conn)
        return _Watched(LimitedBody(begin, request_conn, self._max_body), self.crowd, server_conn, self._later)

    def on_close(self, server_conn: object) -> None:
        """One less."""
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.crowd.left(server_conn.stream)
        super().on_close(server_conn)


class _Watched(HTTPMessageDelegate):
    """What becomes of one request, told to the crowd on the way."""

    def __init__(
        self,
        inner: HTTPMessageDelegate,
        crowd: Crowd,
        connection: HTTP1ServerConnection,
        later: HTTP1ConnectionParameters,
    ) -> None:
        self._inner = inner
        self._crowd = crowd
        self._connection = connection
        self._later = later

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._connection.params = self._later
        self._crowd.silent(self._connection.stream)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._crowd.silent(self._connection.stream)
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._crowd.served(self._connection.stream)
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()
