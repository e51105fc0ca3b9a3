"""What every handler of the API shares: decoding, encoding, refusing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from tornado.web import HTTPError, RequestHandler

from schedule_zero.api.bodies import decode_json
from schedule_zero.api.context import ApiContext
from schedule_zero.api.operations import JSON, Operation, operation_of
from schedule_zero.api.problems import CONTENT_TYPE, RETRY_AFTER, is_foreseen, problem_of
from schedule_zero.api.queries import decode_query
from schedule_zero.api.request_ids import name_request
from schedule_zero.http_body import refusal_of
from schedule_zero.idempotency import MAX_KEY
from schedule_zero.refusals import InvalidRequest
from schedule_zero.security.http_hook import authorize
from schedule_zero.service import SchedulerService

T = TypeVar("T")
#: How deep the objects and lists of a body may be nested; messages to handlers take 64, and wrap the
#: parameters.
MAX_DEPTH = 60


class ApiHandler(RequestHandler):
    """A Tornado handler that parses, calls the service, encodes, and answers errors as problem details.

    What it may take and answer is declared beside each verb by `operation`.
    """

    #: Whether how long a request took says something; for a stream it does not.
    timed = True

    def initialize(self, route: str = "") -> None:
        """Take the path's template from the route."""
        self.route = route

    @property
    def context(self) -> ApiContext:
        """What this server's handlers share."""
        return cast("ApiContext", self.application.settings["context"])

    @property
    def service(self) -> SchedulerService:
        """The service under the API."""
        return self.context.service

    @property
    def operation(self) -> Operation | None:
        """What is declared for the request's verb; None when it is not implemented."""
        return operation_of(type(self), self.request.method or "")

    def set_default_headers(self) -> None:
        """Say nothing about the software, let nobody guess types or cache; name the request as the log does."""
        self.clear_header("Server")
        name_request(self)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Refuse who may not ask this, a body that is too large, and parameters that are not declared."""
        self.principal = authorize(self)
        if (wrong := refusal_of(self.request, self.service.config.security.max_body)) is not None:
            raise HTTPError(413, wrong)
        if any("\x00" in part for part in self.path_args):
            # Nothing has such an id, and not every store can be asked for it.
            raise HTTPError(404, "there is nothing under an id with a NUL in it")
        if self.operation is not None:
            # Here, so that no handler can forget it: one that has no parameters never asks for any.
            self._query: Any = decode_query(self.request.query_arguments, self.operation.query)

    async def head(self, *path: str) -> None:
        """Answer as GET does, without the body."""
        await cast("Any", self).get(*path)

    def options(self, *_: str) -> None:
        """Answer which verbs there are."""
        self.set_status(204)
        self.set_header("Allow", ", ".join(self.verbs()))
        self.finish()

    def compute_etag(self) -> str | None:
        """No etags: answers are never cached."""
        return None

    def query(self, kind: type[T]) -> T:
        """The query parameters as `kind`, which is the declared type; `prepare` has decoded them."""
        if self.operation is None or self.operation.query is not kind:
            raise TypeError(f"{kind.__name__} is not declared as the query of {self.request.method} {self.route}")
        return cast("T", self._query)

    def body(self, kind: type[T]) -> T:
        """The JSON body as `kind`, which is the declared type; raises what becomes 400, 415 or 422."""
        if self.operation is None or self.operation.body is not kind:
            raise TypeError(f"{kind.__name__} is not declared as the body of {self.request.method} {self.route}")
        media = self.request.headers.get("Content-Type", JSON).partition(";")[0].strip().lower()
        if media != JSON:
            raise HTTPError(415, f"expected {JSON}, found {media[:80]}")
        value = decode_json(self.request.body)
        if _deeper_than(value, MAX_DEPTH):
            raise InvalidRequest("", f"nested more than {MAX_DEPTH} deep")
        return msgspec.convert(value, kind)

    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header, if there is one."""
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise InvalidRequest("Idempotency-Key", f"expected 1 to {MAX_KEY} characters, found {len(key)}")
        return key

    def answer(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send `value` as JSON with a declared status."""
        self._declared(status)
        for name, content in (headers or {}).items():
            self.set_header(name, content)
        self.set_header("Content-Type", JSON)
        self.finish(msgspec.json.encode(value))

    def answer_nothing(self) -> None:
        """Send 204, which must be declared."""
        self._declared(204)
        self.finish()

    def answer_text(self, text: str | bytes, media: str) -> None:
        """Send text of another type than JSON."""
        self._declared(200)
        self.set_header("Content-Type", media)
        self.finish(text)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as problem details; nothing of a traceback leaves the server."""
        error = kwargs.get("exc_info", (None, None))[1]
        problem = problem_of(error, status_code)
        self.set_status(problem.status)
        for name, content in getattr(error, "headers", {}).items():
            self.set_header(name, content)
        self.set_header("Content-Type", CONTENT_TYPE)
        if problem.status == 405:
            self.set_header("Allow", ", ".join(self.verbs()))
        if problem.status == 503:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.finish(msgspec.json.encode(problem))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log a traceback of the unforeseen alone."""
        if not is_foreseen(value):
            logging.getLogger(__name__).error(
                "%s %s failed", self.request.method, self.request.path, exc_info=value
            )

    @classmethod
    def verbs(cls) -> list[str]:
        """The verbs that are implemented, as they stand in Allow."""
        declared = [verb for verb in ("GET", "POST", "PATCH", "DELETE") if operation_of(cls, verb)]
        return [*declared, *(["HEAD"] if "GET" in declared else []), "OPTIONS"]

    def _declared(self, status: int) -> None:
        if self.operation is None or status not in self.operation.answers:
            raise TypeError(f"{status} is not declared as an answer of {self.request.method} {self.route}")
        self.set_status(status)


class UnknownPath(ApiHandler):
    """Answers what no other handler does."""

    def prepare(self) -> None:
        """Refuse; who may not ask is not told what there is."""
        self.route = "(unknown)"
        authorize(self)
        raise HTTPError(404, f"there is nothing at {self.request.path[:200]}")


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item
