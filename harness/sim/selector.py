"""A selector whose `select` parks the thread until a simulated descriptor is ready."""

from __future__ import annotations

import math
import selectors
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.sim.boundary.fences import refusal
from harness.sim.kernel import current_thread
from harness.sim.polling import Armed

_GRAIN = 1e-3
"""Microseconds by which a float of seconds may lie past a grid point and still mean that point."""


class SimSelector(selectors.BaseSelector):
    """Descriptors of the simulated machine, and one flag: somebody has work for the loop.

    A real descriptor is refused: the kernel could never learn that it is ready.

    A busy server watches dozens of descriptors of which one or two have news. Those that were not ready when they were
    last looked at, and have not called since, are not ready now: that they call is what waiting relies on. They are
    passed over.
    """

    def __init__(self, kernel: Any, process: Any) -> None:
        self._kernel = kernel
        self._process = process
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._descriptors: dict[int, Any] = {}
        self._calls: dict[int, Callable[[], None]] = {}
        self._suspects: set[int] = set()
        """Numbers that may be ready."""
        self._woken = False
        self._parked: Any = None
        self.armed: Armed | None = None
        """Gives the timers of the loop that waits here."""

    def wake(self) -> None:
        """End the present `select`, or the next one, at once."""
        self._woken = True
        parked = self._parked
        if parked is not None:
            self._parked = None
            self._kernel.wake(parked)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a simulated descriptor; `NotSimulated` for a real one, `KeyError` when it is watched already."""
        number = _number(fileobj)
        if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        if number in self._keys:
            raise KeyError(f"{fileobj!r} (FD {number}) is already registered")
        descriptor = getattr(self._process, "descriptors", {}).get(number)
        if descriptor is None:
            raise refusal(
                f"watching the real descriptor {number}", "only sockets and pipes made inside the world can be ready"
            )
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        self._descriptors[number] = descriptor
        self._suspects.add(number)
        call = self._calls[number] = partial(self._called, number)
        descriptor.watchers.append(call)
        return key

    def _called(self, number: int) -> None:
        """A descriptor may have become ready."""
        self._suspects.add(number)
        self.wake()

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more; `KeyError` when it was not watched."""
        number = _number(fileobj)
        key = self._keys.pop(number)
        self._suspects.discard(number)
        self._descriptors.pop(number).watchers.remove(self._calls.pop(number))
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Change what is watched for."""
        number = _number(fileobj)
        key = self._keys[number] = self._keys[number]._replace(events=events, data=data)
        self._suspects.add(number)
        return key

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """The key of a watched descriptor; `KeyError` when there is none."""
        return self._keys[_number(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Keys by number."""
        return self._keys

    def close(self) -> None:
        """Watch nothing any more."""
        for number, descriptor in self._descriptors.items():
            descriptor.watchers.remove(self._calls[number])
        self.forget()

    def forget(self) -> None:
        """`close` in a world that has ended, whose descriptors may be closed already."""
        self._keys.clear()
        self._descriptors.clear()
        self._calls.clear()
        self._suspects.clear()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Descriptors that are ready; waits up to `timeout` seconds (None: for ever) for one, or for `wake`."""
        keys = self._keys
        ready = self._ready() if keys else []
        if timeout is not None and timeout <= 0:
            self._woken = False
            self._kernel.yield_(self.armed)
            return self._ready() if keys else ready
        if not ready and not self._woken:
            self._park(timeout)
            ready = self._ready() if keys else ready
        self._woken = False
        return ready

    def _park(self, timeout: float | None) -> None:
        kernel = self._kernel
        limit = None
        if timeout is not None:
            local = math.ceil(timeout * 1e6 - _GRAIN)
            limit = self._process.clock.true(local)
        self._parked = current_thread()
        try:
            kernel.park("asyncio events", limit)
        finally:
            self._parked = None
        # When loops wake is what a program of one thread can be told by.
        kernel.record("loop")

    def _ready(self) -> list[tuple[selectors.SelectorKey, int]]:
        suspects = self._suspects
        found: list[tuple[selectors.SelectorKey, int]] = []
        if not suspects:
            return found
        keys, descriptors = self._keys, self._descriptors
        # In the order in which they were registered, whatever the order of the news.
        for number in keys if len(suspects) > 1 else tuple(suspects):
            if number in suspects:
                key = keys[number]
                events = descriptors[number].events() & key.events
                if events:
                    found.append((key, events))
                elif not key.events & selectors.EVENT_WRITE:
                    # Room to write may come without a call, when what was on its way is thrown away.
                    suspects.remove(number)
        return found


def _number(fileobj: Any) -> int:
    number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return int(number)
