"""Log lines about what others send, held to a pace that no flood can raise."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

_INTERVAL: Final = 10.0


class Complaints:
    """Logs one line of each kind every `interval` seconds; the next one says how many were left unsaid.

    For one thread, or one event loop. Kinds come from the code, never from what was received: each is remembered.

    Example:
        >>> complaints = Complaints(logging.getLogger("doctest"))
        >>> [complaints.say("malformed", "not a request: %s", error) for error in ("a", "b")]
        [True, False]
    """

    def __init__(self, logger: logging.Logger, *, interval: float = _INTERVAL) -> None:
        self._logger = logger
        self._interval = interval
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, kind: str, message: str, *values: object, level: int = logging.WARNING, **options: Any) -> bool:
        """Log `message % values`, unless one of this `kind` was logged lately; returns whether it was.

        `options` are those of `logging.Logger.log`, such as ``exc_info=True``.
        """
        now = time.monotonic()
        last = self._said.get(kind)
        if last is not None and now - last < self._interval:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return False
        self._said[kind] = now
        unsaid = self._unsaid.pop(kind, 0)
        if unsaid:
            message, values = message + " (and %d more that were not logged)", (*values, unsaid)
        self._logger.log(level, message, *values, **options)
        return True
