"""One direction of a connection: what travels, in which order it arrives, how much fits.

Messages keep their order, as TCP keeps it, unless a rule says otherwise. The end of the connection travels behind them.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.sim.rules import Deliver, Drop, Duplicate, Hold, Message
from harness.sim.timers import us
from harness.sim.zmq.channel import Frames

if TYPE_CHECKING:
    from harness.sim.fabric import Fabric
    from harness.sim.timers import Timer
    from harness.sim.zmq.session import Session

_OVERHEAD = 2
"""Bytes that ZMTP adds to a short frame."""


class Wire:
    """From one session to another; a road of the fabric.

    :ivar open: things sent are delivered; False: they vanish.
    """

    __slots__ = (
        "_fabric", "_flying", "_landed", "_last", "_stalled", "_timer", "bytes", "count", "nth", "on_stall", "open",
        "receiver", "sender", "source", "target",
    )  # fmt: skip

    def __init__(self, fabric: Fabric, sender: Session, receiver: Session) -> None:
        self._fabric = fabric
        self.sender = sender
        self.receiver = receiver
        self.source = sender.core.process.name
        self.target = receiver.core.process.name
        self.open = True
        self.count = 0
        self.bytes = 0
        self.nth = 0
        self.on_stall: Callable[[], None] | None = None
        self._flying: deque[tuple[int, Frames | None]] = deque()
        self._landed: deque[Frames | None] = deque()
        self._stalled: deque[Frames | None] = deque()
        self._timer: Timer | None = None
        self._last = 0
        fabric.join(self)

    # -- sending ------------------------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether the buffers of the operating system would take another message."""
        count, size = self._fabric.window
        return self.count < count and self.bytes < size

    def send(self, frames: Frames) -> None:
        """Put a message on its way; the rules decide what becomes of it."""
        self.nth += 1
        fabric = self._fabric
        kernel = fabric.kernel
        size = _size(frames)
        kernel.record("zmq.send", self.sender.core.label, self.receiver.core.label, size, zlib.crc32(frames[-1]))
        self.count += 1
        self.bytes += size
        if not fabric.rules:
            self._dispatch(frames)
            return
        endpoint = self.sender.endpoint
        verdict = fabric.verdict(
            Message(self.source, self.target, endpoint, self.sender.core.type_name, tuple(frames), self.nth)
        )
        if isinstance(verdict, Drop):
            kernel.record("net.drop", self.sender.core.label, self.nth)
            self._account(frames)
        elif isinstance(verdict, Hold):
            kernel.record("net.hold", self.sender.core.label, self.nth)
            fabric.hold(lambda: self._land_late(frames))
        elif isinstance(verdict, Duplicate):
            for extra in range(verdict.copies):
                if extra:
                    self.count += 1
                    self.bytes += size
                self._dispatch(frames)
        elif isinstance(verdict, Deliver):
            due = kernel.now + us(verdict.delay)
            if verdict.in_order:
                self._fly(frames, due)
            else:
                kernel.call_at(due, lambda: self._land_late(frames), "late message")
        else:
            self._dispatch(frames)

    def finish(self) -> None:
        """Nothing more will come; the other side learns it behind all that was sent."""
        self._dispatch(None)

    def _dispatch(self, thing: Frames | None) -> None:
        fabric = self._fabric
        if not self.open:
            return
        if self._stalled or not fabric.is_open(self.source, self.target):
            self._stalled.append(thing)
            return
        self._fly(thing, fabric.kernel.now + fabric.delay(self.source, self.target))

    def _fly(self, thing: Frames | None, due: int) -> None:
        self._last = due = max(due, self._last)
        self._flying.append((due, thing))
        if self._timer is None:
            self._timer = self._fabric.kernel.call_at(due, self._arrive)

    def link_changed(self) -> None:
        """The fabric: the link may have opened or closed."""
        if not self._fabric.is_open(self.source, self.target):
            if self.on_stall is not None:
                self.on_stall()
            return
        stalled, self._stalled = self._stalled, deque()
        for thing in stalled:
            self._dispatch(thing)

    # -- arriving -----------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        flying = self._flying
        kernel = self._fabric.kernel
        while flying and flying[0][0] <= kernel.now:
            self._landed.append(flying.popleft()[1])
        self._timer = kernel.call_at(flying[0][0], self._arrive) if flying else None
        self.resume()

    def _land_late(self, frames: Frames) -> None:
        if not self.open:
            return
        self._landed.append(frames)
        self.resume()

    def resume(self) -> None:
        """Hand over what has landed, as far as the receiver has room."""
        landed = self._landed
        while landed and self.open:
            # Taken out first: whoever receives it may read at once, and so come back in here.
            thing = landed.popleft()
            if thing is None:
                self.receiver.peer_closed()
            elif self.receiver.accept(thing):
                self._account(thing)
                self.sender.pump()
            else:
                landed.appendleft(thing)
                return

    def _account(self, frames: Frames) -> None:
        self.count -= 1
        self.bytes -= _size(frames)

    def cut(self) -> None:
        """The connection is gone: nothing more arrives."""
        self.open = False
        self._flying.clear()
        self._landed.clear()
        self._stalled.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fabric.part(self)


def _size(frames: Frames) -> int:
    return sum(map(len, frames)) + _OVERHEAD * len(frames)
