"""Named points in the work where a test or a scenario can stop, look, pause or kill.

In production nobody listens, and a barrier costs one falsy check. The list of listeners is the one piece of
process-wide state of this package: the places that reach a barrier must not need to be told about it.

A listener runs in the thread that reached the barrier, with the barrier's context as keyword arguments. It
may block, raise or end the process: what happens next is what would happen if the code had been struck there.

Example:
    >>> seen = []
    >>> stop = listen("registration.request", lambda method: seen.append(method))
    >>> reached("registration.request", method="ping")
    >>> stop()
    >>> reached("registration.request", method="register")
    >>> seen
    ['ping']
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, NamedTuple

BARRIERS: Final = MappingProxyType(
    {
        "client.before_send": ("socket", "address", "method", "request_id"),
        "client.after_send": ("socket", "address", "method", "request_id"),
        "client.recovered": ("address", "reason"),
        "handler.before_call": ("handler_id", "method", "request_id"),
        "handler.after_call": ("handler_id", "method", "request_id", "ok"),
        "registration.request": ("method",),
        "executor.attempt": ("job_id", "handler_id", "attempt"),
        "executor.before_record": ("job_id",),
        "executor.after_record": ("job_id",),
        "governor.spawned": ("name", "pid"),
    }
)
"""Every barrier with the names of its context.

`client.after_send` is also the moment a job has been sent; `ok` is whether the reply says success.
"""

Listener = Callable[..., object]


class _Entry(NamedTuple):
    name: str
    listener: Listener


# Appending to and removing from a list are atomic, so no lock is needed, and no lock is made at import.
_entries: list[_Entry] = []


def reached(name: str, /, **context: Any) -> None:
    """Tell whoever listens that the code stands at barrier `name`; what a listener raises is raised here."""
    if not _entries:
        return
    for entry in tuple(_entries):
        if entry.name == name:
            entry.listener(**context)


def listen(name: str, listener: Listener) -> Callable[[], None]:
    """Call `listener(**context)` each time that barrier `name` is reached.

    Returns a function that ends this subscription (calling it twice is harmless).

    Raises:
        ValueError: there is no such barrier; the message lists those there are.
    """
    if name not in BARRIERS:
        raise ValueError(f"no barrier is called {name!r}; there are: {', '.join(BARRIERS)}")
    entry = _Entry(name, listener)
    _entries.append(entry)

    def unsubscribe() -> None:
        # By identity: an equal entry may belong to another subscription of the same function.
        for index, candidate in enumerate(_entries):
            if candidate is entry:
                del _entries[index]
                return

    return unsubscribe


def listening() -> bool:
    """Whether anybody listens at all; hot paths ask this before they build a context."""
    return bool(_entries)
