"""One direction of a TCP connection: what is sent arrives later, in order, unless the link is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sim.fabric import Fabric

Arrival = Callable[[], None]


class StreamRoad:
    """From the process `source` to the process `target`; a `harness.sim.fabric.Road`."""

    def __init__(self, fabric: Fabric, source: str, target: str) -> None:
        self._fabric = fabric
        self._kernel = fabric.kernel
        self.source, self.target = source, target
        self._travelling: deque[Arrival] = deque()
        self._stuck: deque[Arrival] = deque()
        self._latest = 0
        self._joined = False

    def send(self, arrival: Arrival) -> None:
        """Call `arrival` when it gets there."""
        if self._stuck or not self._fabric.is_open(self.source, self.target):
            self._stuck.append(arrival)
            if not self._joined:
                self._joined = True
                self._fabric.join(self)
            return
        self._travelling.append(arrival)
        when = max(self._latest, self._kernel.now + self._fabric.delay(self.source, self.target))
        self._latest = when
        self._kernel.call_at(when, self._arrive)

    def _arrive(self) -> None:
        self._travelling.popleft()()

    def link_changed(self) -> None:
        """What was stuck goes on when the link is open again."""
        if self._stuck and self._fabric.is_open(self.source, self.target):
            waiting, self._stuck = self._stuck, deque()
            for arrival in waiting:
                self.send(arrival)
        if not self._stuck and self._joined:
            self._joined = False
            self._fabric.part(self)
