"""What every handler of the API shares: decoding, encoding, refusing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from tornado.web import HTTPError, RequestHandler

from schedule_zero.api.problems import CONTENT_TYPE, RETRY_AFTER, is_foreseen, problem_of
from schedule_zero.idempotency import MAX_KEY
from schedule_zero.refusals import InvalidRequest
from schedule_zero.service import SchedulerService

T = TypeVar("T")
#: The largest body taken, in bytes: what a message to a handler can carry.
MAX_BODY = 8 * 1024 * 1024
#: How deep the objects and lists of a body may be nested; messages to handlers take 64, and wrap the
#: parameters.
MAX_DEPTH = 60


class ApiHandler(RequestHandler):
    """A Tornado handler that parses, calls the service, encodes, and answers errors as problem details."""

    @property
    def service(self) -> SchedulerService:
        """The service under the API."""
        return cast("SchedulerService", self.application.settings["service"])

    def set_default_headers(self) -> None:
        """Say nothing about the software, let nobody guess types or cache."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Refuse a body that is too large."""
        if len(self.request.body) > MAX_BODY:
            raise HTTPError(413, f"the body has {len(self.request.body)} bytes; at most {MAX_BODY} are taken")

    def compute_etag(self) -> str | None:
        """No etags: answers are never cached."""
        return None

    def body(self, kind: type[T]) -> T:
        """The JSON body as `kind`; raises what becomes 400 (not JSON) or 422 (not what is expected)."""
        media = self.request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
        if media != "application/json":
            raise HTTPError(415, f"expected application/json, found {media}")
        value = msgspec.json.decode(self.request.body)
        if _deeper_than(value, MAX_DEPTH):
            raise InvalidRequest("", f"nested more than {MAX_DEPTH} deep")
        return msgspec.convert(value, kind)

    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header, if there is one."""
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise InvalidRequest("Idempotency-Key", f"expected 1 to {MAX_KEY} characters, found {len(key)}")
        return key

    def whole(self, name: str, default: int, most: int) -> int:
        """A query argument as a whole number from 0 to `most`."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > most:
            raise InvalidRequest(name, f"expected a whole number from 0 to {most}, found {text[:40]!r}")
        return int(text)

    def answer(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send `value` as JSON."""
        self.set_status(status)
        for name, content in (headers or {}).items():
            self.set_header(name, content)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as problem details; nothing of a traceback leaves the server."""
        problem = problem_of(kwargs.get("exc_info", (None, None))[1], status_code)
        self.set_status(problem.status)
        self.set_header("Content-Type", CONTENT_TYPE)
        if problem.status == 405:
            self.set_header("Allow", ", ".join(self._verbs()))
        if problem.status == 503:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.finish(msgspec.json.encode(problem))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log a traceback of the unforeseen alone."""
        if not is_foreseen(value):
            logging.getLogger(__name__).error(
                "%s %s failed", self.request.method, self.request.path, exc_info=value
            )

    def _verbs(self) -> list[str]:
        return [verb for verb in self.SUPPORTED_METHODS if self._implements(verb)]

    def _implements(self, verb: str) -> bool:
        return getattr(type(self), verb.lower()) is not getattr(RequestHandler, verb.lower())


class UnknownPath(ApiHandler):
    """Answers what no other handler does."""

    def prepare(self) -> None:
        """Refuse."""
        raise HTTPError(404, f"there is nothing at {self.request.path}")


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item
