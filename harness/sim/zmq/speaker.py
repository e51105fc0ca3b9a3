"""The PAIR with which a socket tells its monitor of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from harness.sim.zmq.pair import PairCore
from harness.sim.zmq.pipe import Pipe


class SpeakerCore(PairCore):
    """Never reads: it learns at once that its listener has gone."""

    delimits: ClassVar[bool] = False
    on_room: Callable[[], object] = staticmethod(lambda: None)
    """Called when there is a listener, and when that one has room again."""
    left: int = -1
    """When the last listener went, in microseconds of the world."""

    def x_attach(self, pipe: Pipe) -> None:
        """The listener hears at once what has waited for it."""
        super().x_attach(pipe)
        if pipe is self.peer:
            self.on_room()

    def x_write_activated(self, pipe: Pipe) -> None:
        """Its listener has room."""
        if pipe is self.peer:
            self.on_room()

    def x_terminated(self, pipe: Pipe) -> None:
        """Its listener has gone."""
        if pipe is self.peer:
            self.left = self.kernel.now
        super().x_terminated(pipe)
