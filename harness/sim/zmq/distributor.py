"""Writing one message to all pipes that want it: libzmq's ``dist_t``, by its effect.

A pipe without room misses the message; that is how a slow subscriber loses messages.
"""

from __future__ import annotations

from harness.sim.zmq.pipe import Pipe


class Distributor:
    """The outbound side of a publisher."""

    __slots__ = ("more", "pipes", "receivers")

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self.more = False
        self.receivers: list[Pipe] = []
        """Who gets the message that is being written."""

    def attach(self, pipe: Pipe) -> None:
        """A new pipe; it gets no half messages."""
        self.pipes.append(pipe)

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        self.pipes.remove(pipe)
        if pipe in self.receivers:
            self.receivers.remove(pipe)

    def choose(self, matching: list[Pipe]) -> None:
        """At the first frame of a message: who gets it. Pipes without room are passed over."""
        self.receivers = [pipe for pipe in matching if pipe.check_write()]

    def send(self, frame: bytes, more: bool) -> None:
        """Write one frame to all that were chosen."""
        for pipe in self.receivers:
            pipe.write(frame, more)
        self.more = more
        if not more:
            self.receivers = []

    @staticmethod
    def has_room(matching: list[Pipe]) -> bool:
        """Whether none of them is full (``XPUB_NODROP``)."""
        return all(pipe.check_write() or pipe.closing for pipe in matching)
