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

    __slots__ = ("_added", "_table", "_watched")

    def __init__(self) -> None:
        self._added = False
        self._watched: dict[Watcher, frozenset[str]] = {}
        self._table: dict[str, tuple[Watcher, ...]] = {}

    def watch(self, events: Iterable[str], watcher: Watcher) -> None:
        """Call ``watcher(event, arguments)`` for these events until `rest`; what it raises stops the effect."""
        self._watched[watcher] = frozenset(events)
        self._arrange()
        if not self._added:
            self._added = True
            sys.addaudithook(self._hear)

    def rest(self, watcher: Watcher) -> None:
        """Let `watcher` watch nothing any more; harmless when it does not."""
        self._watched.pop(watcher, None)
        self._arrange()

    def _arrange(self) -> None:
        events = {event for wanted in self._watched.values() for event in wanted}
        # Replaced whole: the hook may be called at any moment, by any thread.
        self._table = {
            event: tuple(watcher for watcher, wanted in self._watched.items() if event in wanted) for event in events
        }

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        for watcher in self._table.get(event, ()):
            watcher(event, arguments)


HOOK = AuditHook()
"""The hook. It is global because CPython's is."""
