"""Pipes that take turns: what libzmq's ``fq_t`` and ``lb_t`` have in common.

The first `active` entries of `pipes` may have something to do, the others wait to be `activated`. Order matters: a
differential test against libzmq has shown that peers are served by this rotation, not by time of arrival.
"""

from __future__ import annotations

from harness.sim.zmq.pipe import Pipe


class Rotation:
    """One side of a socket: its pipes, those of them that are active, and whose turn it is."""

    __slots__ = ("active", "current", "last", "more", "pipes")

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self.active = 0
        self.current = 0
        self.more = False
        """Whether the latest frame was not the last of its message."""
        self.last: Pipe | None = None
        """The pipe that the latest frame went through."""

    def attach(self, pipe: Pipe) -> None:
        """A new pipe, active: it may hold messages already, and has room."""
        self.pipes.append(pipe)
        self.activated(pipe)

    def activated(self, pipe: Pipe) -> None:
        """There is something to do in an inactive pipe."""
        self._swap(self.pipes.index(pipe), self.active)
        self.active += 1

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        index = self.pipes.index(pipe)
        if index < self.active:
            self.active -= 1
            self._swap(index, self.active)
            if self.current == self.active:
                self.current = 0
        # As libzmq's array does: the last one takes the free place.
        last = self.pipes.pop()
        if last is not pipe:
            self.pipes[self.pipes.index(pipe)] = last

    def _deactivate(self) -> None:
        """There is nothing to do in the pipe whose turn it is."""
        self.active -= 1
        self._swap(self.current, self.active)
        if self.current == self.active:
            self.current = 0

    def _swap(self, one: int, other: int) -> None:
        pipes = self.pipes
        pipes[one], pipes[other] = pipes[other], pipes[one]
