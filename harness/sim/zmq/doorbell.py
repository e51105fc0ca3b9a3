"""The descriptor of a socket (``ZMQ_FD``): edge-triggered, rung by commands, silenced by calls.

It is readable from the moment at which libzmq's mailbox gets a command until the next call that empties the mailbox,
whatever can be received meanwhile. Programs that forget to look at ``EVENTS`` hang here as they do in reality.
"""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from typing import Any


class Doorbell:
    """A descriptor as `harness.sim.selector` and ``select`` expect it.

    :ivar number: what ``socket.FD`` gives.
    """

    def __init__(self, number: int, descriptors: dict[int, Any]) -> None:
        self.number = number
        self.watchers: list[Callable[[], None]] = []
        self.entries = descriptors
        self.file = self.table = self
        """To whoever polls it, a number, its open file and its table are one thing."""
        self._rung = False
        descriptors[number] = self

    def ring(self) -> None:
        """A command has come."""
        self._rung = True
        for watcher in tuple(self.watchers):
            watcher()

    def silence(self) -> None:
        """A call has taken all commands."""
        self._rung = False

    def events(self) -> int:
        """``EVENT_READ`` while it rings; it is never writable."""
        return selectors.EVENT_READ if self._rung else 0

    def poll(self) -> int:
        """The same for ``select.poll``."""
        return select.POLLIN if self._rung else 0

    def acquire(self) -> None:
        """Only its socket can close it."""

    def release(self) -> None:
        """Only its socket can close it."""

    def close(self, number: int = 0) -> None:
        """The socket is closed."""
        self.entries.pop(self.number, None)
        for watcher in tuple(self.watchers):
            watcher()
