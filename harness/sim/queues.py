"""The simulated `queue.SimpleQueue`."""

from __future__ import annotations

import _queue
from collections import deque
from types import GenericAlias
from typing import Any

from harness.sim.polling import Look, looked, not_yet
from harness.sim.thread import LOCAL
from harness.sim.timers import us
from harness.sim.waiting import WaitQueue

_RealQueue = _queue.SimpleQueue
Empty = _queue.Empty


class SimpleQueue:
    """`queue.SimpleQueue`: called outside a world it makes a real one."""

    __slots__ = ("__weakref__", "_arrived", "_items", "_look")

    _items: deque[Any]
    _arrived: WaitQueue | None
    """Who waits; None: nobody has, in this world. A queue that a module made outlives it, and must not hold it."""
    _look: Look | None
    __class_getitem__: Any = classmethod(GenericAlias)

    def __new__(cls) -> Any:
        """A simulated queue in simulated threads, a real one elsewhere."""
        if LOCAL.thread is None:
            return _RealQueue()
        self = object.__new__(cls)
        self._items = deque()
        self._arrived = None
        self._look = None
        return self

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item; never waits."""
        self._items.append(item)
        if self._arrived is not None and LOCAL.thread is not None:
            self._arrived.notify()

    def put_nowait(self, item: Any) -> None:
        """`put`."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The oldest item.

        :raises queue.Empty: there was none within `timeout` seconds.
        """
        if timeout is not None and timeout < 0 and block:
            raise ValueError("'timeout' must be a non-negative number")
        items = self._items
        me = LOCAL.thread
        if items:
            return items.popleft()
        if not block or me is None:
            not_yet()
            raise Empty
        kernel = me.kernel
        arrived = self._arrived
        if arrived is None:
            arrived = self._arrived = WaitQueue(kernel, "an item of a SimpleQueue")
        end = None if timeout is None else kernel.now + me.process.clock.true(us(timeout))
        while not items:
            if not arrived.wait(None if end is None else max(end - kernel.now, 0)) and not items:
                raise Empty
        return items.popleft()

    def get_nowait(self) -> Any:
        """The oldest item.

        :raises queue.Empty: there is none.
        """
        return self.get(False)

    def forget(self) -> None:
        """The world has ended: nobody waits."""
        self._arrived = None

    def empty(self) -> bool:
        """It holds nothing."""
        return not self.qsize()

    def qsize(self) -> int:
        """How many items it holds."""
        size = len(self._items)
        self._look = looked(self._look, size, patient=not size)
        return size
