"""Which methods of a handler can be called by name, what fits them, how they are run."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any

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
    try:
        bound = method.signature.bind(**params)
    except TypeError as error:
        return _refusal(f"{method.name}{method.signature}: {error}", ErrorCode.BAD_PARAMS, request_id), False
    try:
        result = method.function(*bound.args, **bound.kwargs)
        if inspect.iscoroutine(result):
            result = run_coroutine(result)
    except BaseException as error:
        # Also SystemExit: a method must not take its worker along.
        logger.exception("method %s failed (request %s)", method.name, request_id)
        message = f"{type(error).__name__}: {error}"[:10_000]
        return _refusal(message, ErrorCode.CALL_FAILED, request_id, incarnation), False
    try:
        return wire.encode_reply(Reply(True, result, request_id=request_id, incarnation=incarnation)), True
    except ProtocolError as error:
        message = f"{method.name} ran, but its {error}"
        return _refusal(message, ErrorCode.BAD_RESULT, request_id, incarnation), False


def _refusal(message: str, code: ErrorCode, request_id: str | None, incarnation: str | None = None) -> bytes:
    reply = wire.failure(message, code, request_id)
    reply.incarnation = incarnation
    return wire.encode_reply(reply)
