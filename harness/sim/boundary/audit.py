"""The one audit hook of the interpreter that watches simulated threads.

CPython cannot take an audit hook away again, and calls it for every event for as long as the process lives. So there
is one for all worlds, which costs a set lookup when no world is open.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Watcher = Callable[[str, tuple[Any, ...]], None]


class AuditHook:
    """Hands events to the watcher of the world that is open, if one is."""

    __slots__ = ("_added", "_events", "_watcher")

    def __init__(self) -> None:
        self._added = False
        self._events: frozenset[str] = frozenset()
        self._watcher: Watcher | None = None

    def watch(self, events: frozenset[str], watcher: Watcher) -> None:
        """Call ``watcher(event, arguments)`` for these events until `rest`; what it raises stops the effect."""
        self._events, self._watcher = events, watcher
        if not self._added:
            self._added = True
            sys.addaudithook(self._hear)

    def rest(self) -> None:
        """Watch nothing."""
        self._events, self._watcher = frozenset(), None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in self._events and self._watcher is not None:
            self._watcher(event, arguments)


HOOK = AuditHook()
"""The hook. It is global because CPython's is."""
