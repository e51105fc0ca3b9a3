"""The ids that every log line of a piece of work carries: its job, its request, its handler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

__all__ = ["bind_log", "bound_log", "current"]

_BOUND: ContextVar[Mapping[str, Any]] = ContextVar("schedule_zero_log", default=MappingProxyType({}))


def current() -> Mapping[str, Any]:
    """What is bound here: in this thread, and in this asyncio task."""
    return _BOUND.get()


def bind_log(**ids: Any) -> None:
    """Bind ids to the rest of the current task or thread; those that are None are left out.

    For whoever begins a task of its own; others take `bound_log`.
    """
    _BOUND.set({**_BOUND.get(), **{name: value for name, value in ids.items() if value is not None}})


@contextlib.contextmanager
def bound_log(**ids: Any) -> Iterator[None]:
    """Bind ids to what is logged inside, also by coroutines and tasks that are begun there.

    >>> with bound_log(job_id="j1", schedule_id=None):
    ...     dict(current())
    {'job_id': 'j1'}
    >>> dict(current())
    {}
    """
    before = _BOUND.get()
    bind_log(**ids)
    try:
        yield
    finally:
        _BOUND.set(before)
