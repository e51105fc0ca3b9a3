"""Which methods of a handler can be called by name, what fits them, how they are run."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from schedule_zero import wire
from schedule_zero.errors import ProtocolError
from schedule_zero.wire import ErrorCode, Reply

logger = logging.getLogger(__name__)

RunCoroutine = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """One public method, bound to its handler."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature

    @property
    def is_coroutine(self) -> bool:
        """Whether to call it does nothing but make a coroutine, to be run in an event loop."""
        return inspect.iscoroutinefunction(self.function)


def public_methods(handler: object, base: type) -> dict[str, Method]:
    """The methods of `handler` that may be called from outside, by name, in alphabetical order.

    Public is what the handler's class defines as a method, without a leading underscore, and under no name
    that `base` (the lifecycle) has. Properties are not touched.
    """
    kind = type(handler)
    names = [name for name in dir(kind) if not name.startswith("_") and not hasattr(base, name)]
    methods = {}
    for name in names:
        static = inspect.getattr_static(kind, name)
        if inspect.isfunction(static) or isinstance(static, (staticmethod, classmethod)):
            function = getattr(handler, name)
            methods[name] = Method(name, function, inspect.signature(function))
    return methods


def answer(
    method: Method,
    params: dict[str, Any],
    request_id: str | None,
    run_coroutine: RunCoroutine,
    incarnation: str | None = None,
) -> tuple[bytes, bool]:
    """Run the method; returns the encoded reply, whatever happens in it, and whether that says success.

    `incarnation` is told with an answer of a method that ran.

    A traceback goes to the log only.
    """
    asked = _Asked(method, request_id, incarnation)
    bound = asked.bind(params)
    if isinstance(bound, bytes):
        return bound, False
    try:
        result = method.function(*bound.args, **bound.kwargs)
        if inspect.iscoroutine(result):
            result = run_coroutine(result)
    except BaseException as error:  # noqa: BLE001 - also SystemExit: a method must not take its worker along
        return asked.failed(error)
    return asked.succeeded(result)


async def answer_of_coroutine(
    method: Method, params: dict[str, Any], request_id: str | None, incarnation: str | None = None
) -> tuple[bytes, bool]:
    """As `answer`, for a method that is a coroutine function, in the event loop that this runs in."""
    asked = _Asked(method, request_id, incarnation)
    bound = asked.bind(params)
    if isinstance(bound, bytes):
        return bound, False
    try:
        result = await method.function(*bound.args, **bound.kwargs)
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop of all others; so may a cancellation
        return asked.failed(error)
    return asked.succeeded(result)


class _Asked(NamedTuple):
    """A call, and the replies to it."""

    method: Method
    request_id: str | None
    incarnation: str | None

    def bind(self, params: dict[str, Any]) -> inspect.BoundArguments | bytes:
        """The arguments, or the reply that refuses them."""
        try:
            return self.method.signature.bind(**params)
        except TypeError as error:
            message = f"{self.method.name}{self.method.signature}: {error}"
            return wire.encode_reply(wire.failure(message, ErrorCode.BAD_PARAMS, self.request_id))

    def failed(self, error: BaseException) -> tuple[bytes, bool]:
        """The reply to a call whose method has raised."""
        logger.error("method %s failed (request %s)", self.method.name, self.request_id, exc_info=error)
        return self._refusal(f"{type(error).__name__}: {_text(error)}"[:10_000], ErrorCode.CALL_FAILED), False

    def succeeded(self, result: Any) -> tuple[bytes, bool]:
        """The reply with what the method has returned, if JSON can say it."""
        try:
            data = wire.encode_reply(Reply(True, result, request_id=self.request_id, incarnation=self.incarnation))
            wire.require_json(result, "result")
        except ProtocolError as error:
            return self._refusal(f"{self.method.name} ran, but its {error}", ErrorCode.BAD_RESULT), False
        return data, True

    def _refusal(self, message: str, code: ErrorCode) -> bytes:
        reply = wire.failure(message, code, self.request_id)
        reply.incarnation = self.incarnation
        return wire.encode_reply(reply)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as worse:  # noqa: BLE001 - its own text is a method's code as well
        return f"(its text cannot be told: {type(worse).__name__})"
