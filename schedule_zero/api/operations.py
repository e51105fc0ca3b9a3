"""What an operation of the API says of itself: declared beside the method that carries it out.

The OpenAPI document, the decoding of queries and bodies, the statuses that may be answered, and who may ask are
all taken from here, so that they cannot say different things.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from schedule_zero.security.scopes import Scope

__all__ = ["JSON", "NoQuery", "Operation", "Returns", "Scope", "operation", "operation_of"]

F = TypeVar("F", bound=Callable[..., Any])
JSON = "application/json"
_MARK = "schedule_zero_operation"


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameter at all."""


@dataclass(frozen=True, kw_only=True)
class Returns:
    """A good answer: `kind` is the type of its body (None: no body), `example` a body as it is sent."""

    about: str
    kind: Any = None
    example: Any = None
    media: str = JSON
    #: Headers besides the usual ones, each with its meaning.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One verb at one path.

    `answers` are the good ones by status; `problems` the statuses of problem details that are its own, beside
    those that every operation has. `query` and `body` are the types that these are decoded into; `path` says what
    each parameter in the path means; `keyed` that an Idempotency-Key is heeded, `resumed` a Last-Event-ID.
    """

    summary: str
    answers: Mapping[int, Returns]
    tag: str
    scope: Scope = Scope.READ
    problems: tuple[int, ...] = ()
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    body_example: Any = None
    path: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = False
    resumed: bool = False


def operation(**fields: Any) -> Callable[[F], F]:
    """Declare what the decorated method of a handler does; the arguments are those of `Operation`.

    Example::

        @operation(tag="health", summary="How it is", answers={200: Returns(about="well", kind=Health)})
        async def get(self) -> None: ...
    """
    declared = Operation(**fields)

    def declare(method: F) -> F:
        setattr(method, _MARK, declared)
        return method

    return declare


def operation_of(handler: type, verb: str) -> Operation | None:
    """What `handler` declares for an HTTP verb; None when it has none. HEAD is what GET is.

    >>> operation_of(object, "GET") is None
    True
    """
    method = getattr(handler, "get" if verb == "HEAD" else verb.lower(), None)
    found = getattr(inspect.unwrap(method), _MARK, None) if method is not None else None
    return found if isinstance(found, Operation) else None
