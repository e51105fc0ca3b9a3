"""An event loop whose timers fire to the tenth of a millisecond, for load generators.

asyncio's epoll selector rounds every time-out up to whole milliseconds, so a call that is due in 0.2 ms
starts up to a millisecond late. An epoll descriptor can itself be waited for by `select`, which takes
microseconds.
"""

from __future__ import annotations

import asyncio
import select
import selectors
from typing import Final

_FINEST_MS: Final = 0.001
_MOST_FD: Final = 1024
"""`select` cannot watch descriptors from this number on."""


class FineSelector(selectors.DefaultSelector):
    """The platform's selector; waits shorter than 10 ms are not rounded up."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Like `selectors.BaseSelector.select`; `timeout` in seconds."""
        if timeout is not None and 0 < timeout < 10 * _FINEST_MS and isinstance(self, selectors.EpollSelector):
            descriptor = self.fileno()
            if descriptor < _MOST_FD:
                select.select([descriptor], [], [], timeout)
                timeout = 0
        return super().select(timeout)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A selector event loop with fine timers; for ``asyncio.Runner(loop_factory=new_event_loop)``."""
    return asyncio.SelectorEventLoop(FineSelector())
