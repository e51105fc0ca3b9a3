"""What a socket learns only when its owner makes a call: which connections came, or came back, and where to read.

libzmq's I/O thread puts a ``bind`` command into the mailbox of the socket, a ``hiccup``, or an ``activate_read`` for a
pipe that was found empty. The socket takes it out in
``send``, in a ``recv`` that finds nothing, in ``EVENTS`` and polls, in ``bind``, ``connect``, ``unbind`` and
``disconnect``, and while it waits in one of them; no other option does so. Until then a bound SUB has not subscribed, a
bound XPUB has not welcomed anybody (``socket_base_t::process_commands``; each measured with libzmq 4.3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sim.zmq.pipe import Pipe

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore

_DEAF = 100
"""Messages that are received before commands are taken, although there is always one more (``inbound_poll_rate``)."""


class Mail(list[Pipe]):
    """The pipes of one socket about which there is a command; a list, so that asking for one costs next to nothing."""

    __slots__ = ("_core", "_found")

    def __init__(self, core: SocketCore) -> None:
        super().__init__()
        self._core = core
        self._found = 0

    def announce(self, pipe: Pipe) -> None:
        """A new pipe, of a connection made or accepted in the background."""
        core = self._core
        self.append(pipe)
        if core not in core.context.sockets:
            self.take()  # the voice of a monitor, which nobody calls
        core.signal()

    def hiccup(self, pipe: Pipe) -> None:
        """The connection of a subscriber is gone. What it says is lost until its owner takes commands."""
        pipe.writable = False
        pipe.rollback()
        if not pipe.hiccuped:
            pipe.hiccuped = True
            self.append(pipe)
        self._core.signal()

    def take(self) -> None:
        """Take in the pipes that have come; tell new connections what old ones were told; read from pipes again."""
        core = self._core
        pipes = self[:]
        self.clear()
        self._found = 0
        for pipe in pipes:
            if not pipe.attached:
                core.attach(pipe)
                if pipe.closing and not core.delimits:
                    core.end_pipe(pipe)
            elif pipe.ended:
                pass
            elif pipe.hiccuped:
                pipe.hiccuped = False
                pipe.renew()
                core.x_hiccuped(pipe)
            else:
                core.x_read_activated(pipe)

    def is_due(self) -> bool:
        """Whether the owner, who is about to receive and may find a message each time, looks here all the same."""
        self._found += 1
        return self._found >= _DEAF

    def drop(self, pipe: Pipe) -> None:
        """A pipe that was never taken in ends. It stays, to be taken in and out, unless the socket is closed."""
        if self._core.closed:
            self.remove(pipe)
            pipe.ended = True
