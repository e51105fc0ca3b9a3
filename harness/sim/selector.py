"""A selector whose `select` parks the thread until a simulated descriptor is ready."""

from __future__ import annotations

import math
import selectors
from collections.abc import Mapping
from typing import Any

from harness.sim.boundary.fences import refusal
from harness.sim.kernel import current_thread

_GRAIN = 1e-3
"""Microseconds by which a float of seconds may lie past a grid point and still mean that point."""


class SimSelector(selectors.BaseSelector):
    """Descriptors of the simulated machine, and one flag: somebody has work for the loop.

    A real descriptor is refused: the kernel could never learn that it is ready.
    """

    def __init__(self, kernel: Any, process: Any) -> None:
        self._kernel = kernel
        self._process = process
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._descriptors: dict[int, Any] = {}
        self._woken = False
        self._parked: Any = None

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
        descriptor.watchers.append(self.wake)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more; `KeyError` when it was not watched."""
        number = _number(fileobj)
        key = self._keys.pop(number)
        self._descriptors.pop(number).watchers.remove(self.wake)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Change what is watched for."""
        number = _number(fileobj)
        key = self._keys[number] = self._keys[number]._replace(events=events, data=data)
        return key

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """The key of a watched descriptor; `KeyError` when there is none."""
        return self._keys[_number(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Keys by number."""
        return self._keys

    def close(self) -> None:
        """Watch nothing any more."""
        for descriptor in self._descriptors.values():
            descriptor.watchers.remove(self.wake)
        self._keys.clear()
        self._descriptors.clear()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Descriptors that are ready; waits up to `timeout` seconds (None: for ever) for one, or for `wake`."""
        keys = self._keys
        ready = self._ready() if keys else []
        if timeout is not None and timeout <= 0:
            self._woken = False
            self._kernel.yield_()
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
        found = []
        descriptors = self._descriptors
        for number, key in self._keys.items():
            events = descriptors[number].events() & key.events
            if events:
                found.append((key, events))
        return found


def _number(fileobj: Any) -> int:
    number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return int(number)
