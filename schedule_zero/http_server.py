"""Tornado's HTTP server with an end to patience: for slow senders, for large requests, for too many connections."""

from __future__ import annotations

import resource

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application

__all__ = ["PatientServer", "most_connections"]

#: A connection is cut off at this many times the largest body; up to there the client is told why (413).
_HARD_LIMIT = 2
#: The largest head of a request, in bytes.
_MAX_HEAD = 32 * 1024
#: Seconds in which a request's head must be there, counted from the end of the one before it, and then its body.
PATIENCE = 60.0
#: Connections at the same time, where the process may have that many.
_MOST_CONNECTIONS = 2000


def most_connections() -> int:
    """How many connections leave enough descriptors for all else that the process does.

    Tornado spins on a listening socket that it has no descriptor for, and the store cannot open its file again.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(_MOST_CONNECTIONS, soft // 2))


class PatientServer(HTTPServer):
    """A server for `app`, whose handlers refuse bodies of more than `max_body` bytes.

    Connections beyond `most` are closed as soon as they come; None takes what there is.
    """

    def initialize(self, app: Application, max_body: int, most: int | None = None) -> None:  # type: ignore[override]
        """Called with the arguments of the class: HTTPServer is Configurable."""
        super().initialize(
            app,
            max_body_size=_HARD_LIMIT * max_body,
            max_buffer_size=2 * _HARD_LIMIT * max_body,
            max_header_size=_MAX_HEAD,
            idle_connection_timeout=PATIENCE,
            body_timeout=PATIENCE,
        )
        self.most = most_connections() if most is None else most
        self.refused = 0
        self._open = 0

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        """Serve a connection, or close it if there are too many."""
        if self._open >= self.most:
            self.refused += 1
            stream.close()
            return
        self._open += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """One less."""
        self._open -= 1
        super().on_close(server_conn)
