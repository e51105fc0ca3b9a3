"""Socket events (``zmq_socket_monitor``): two frames each, sent over an inproc PAIR socket."""

from __future__ import annotations

import errno
import struct
from collections import deque
from typing import TYPE_CHECKING

import zmq

from harness.sim.zmq.failures import failure
from harness.sim.zmq.misuse import unheard

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore
    from harness.sim.zmq.speaker import SpeakerCore


class Monitor:
    """The events of one socket; nothing is made of them until somebody asks.

    libzmq waits for somebody who listens, in the thread in which the event happens. A thread of the program would have
    Python's lock meanwhile, so that its process stood still for ever: that is told. The I/O thread, which stands still
    there with all its connections, goes on here, and its events are kept.
    """

    __slots__ = ("_core", "_late", "_mask", "_speaker")

    def __init__(self, core: SocketCore) -> None:
        self._core = core
        self._speaker: SpeakerCore | None = None
        self._mask = 0
        self._late: deque[tuple[bytes, bytes]] = deque()

    @property
    def active(self) -> bool:
        """Somebody listens."""
        return self._speaker is not None

    def start(self, address: str, events: int) -> None:
        """Publish `events` at `address`, an inproc one. Raises ZMQError."""
        if events & ~0xFFFF:
            raise failure(errno.EINVAL)
        transport, separator, _ = address.partition("://")
        if not separator:
            raise failure(errno.EINVAL)
        if transport != "inproc":
            raise failure(errno.EPROTONOSUPPORT)
        self.stop(by="monitor")
        speaker = self._core.context.speaker()
        speaker.options.set(int(zmq.LINGER), 0)
        speaker.on_room = self._catch_up
        try:
            speaker.endpoints.bind(address)
        except zmq.ZMQError:
            speaker.endpoints.close()
            raise
        self._speaker = speaker
        self._mask = events

    def stop(self, *, by: str = "") -> None:
        """Say so, then be silent. `by` as for `tell`."""
        speaker = self._speaker
        if speaker is not None:
            self.tell(zmq.Event.MONITOR_STOPPED, 0, "", by=by)
            self._speaker = None
            self._late.clear()
            speaker.endpoints.close()

    def tell(self, event: zmq.Event, value: int, endpoint: str, *, by: str = "") -> None:
        """An event has happened: `value` is a descriptor, an errno or an interval in ms, by kind.

        :param by: the call in which it has happened, of a thread of the program.
        :raises Misuse: nobody hears of it while that thread has Python's lock.
        """
        speaker = self._speaker
        if speaker is None or not self._mask & event:
            return
        self._late.append((struct.pack("=Hi", int(event), value), endpoint.encode()))
        # libzmq does not know at once that a listener was closed: pyzmq itself closes its own just before it disables.
        if not self._catch_up() and by and speaker.left < self._core.kernel.now:
            self._late.clear()
            raise unheard(self._core, by, event.name or "")

    def _catch_up(self) -> bool:
        """Send what has not been sent; whether all of it is."""
        speaker = self._speaker
        while speaker is not None and self._late:
            head, endpoint = self._late[0]
            if not speaker.x_send(head, True):
                return False
            speaker.x_send(endpoint, False)
            self._late.popleft()
        return True
