"""The id of an HTTP request, under which its log lines are found."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, cast

from tornado.web import RequestHandler

from schedule_zero.log_context import bind_log

__all__ = ["name_request"]

#: What may stand in a log; a request whose client names it otherwise gets another id.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def name_request(handler: RequestHandler) -> None:
    """Bind the request's id, the client's own or else one made up, to what is logged, and tell it in the answer.

    For `set_default_headers`: Tornado calls that when the handler is made, in the context of the connection, which the
    task that answers the request inherits, and again in that task, when it answers an error.
    """
    own = cast("Any", handler)
    known: str | None = getattr(handler, "_known_id", None)
    if known is None:
        given = handler.request.headers.get("X-Request-ID", "")
        known = own._known_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    # Each time, and by each handler: the connection's context still has the id of its last request.
    bind_log(request_id=known)
    handler.set_header("X-Request-ID", known)
