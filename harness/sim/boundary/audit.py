"""The one audit hook of the interpreter that watches simulated threads.

CPython cannot take an audit hook away again, and calls it for every event for as long as the process lives. So there
is one for all worlds and all purposes, which costs a lookup in an empty table when no world is open.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

Watcher = Callable[[str, tuple[Any, ...]], None]


class AuditHook:
    """Hands events to whoever watches for them."""

    __slots__ = ("_added", "_watched", "table")

    def __init__(self) -> None:
        self._added = False
        self._watched: dict[Watcher, frozenset[str]] = {}
        self.table: dict[str, tuple[Watcher, ...]] = {}
        """Who watches for which event."""

    def watch(self, events: Iterable[str], watcher: Watcher) -> None:
        """Call ``watcher(event, arguments)`` for these events until `rest`; what it raises stops the effect."""
        self._watched[watcher] = frozenset(events)
        self._arrange()
        if not self._added:
            self._added = True
            sys.addaudithook(_listener(self))

    def rest(self, watcher: Watcher) -> None:
        """Let `watcher` watch nothing any more; harmless when it does not."""
        self._watched.pop(watcher, None)
        self._arrange()

    def _arrange(self) -> None:
        events = {event for wanted in self._watched.values() for event in wanted}
        # Replaced whole: the hook may be called at any moment, by any thread.
        self.table = {
            event: tuple(watcher for watcher, wanted in self._watched.items() if event in wanted) for event in events
        }


def _listener(hook: AuditHook) -> Watcher:
    """What CPython calls, for every ``id()`` and ``sys._getframe()`` too.

    A function, no method: a method is asked for ``__cantrace__`` by way of an AttributeError, which costs more than
    all the rest.
    """

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        table = hook.table
        if event in table:
            for watcher in table[event]:
                watcher(event, arguments)

    return hear


HOOK = AuditHook()
"""The hook. It is global because CPython's is."""
