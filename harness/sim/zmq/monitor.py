"""Socket events (``zmq_socket_monitor``): two frames each, sent over an inproc PAIR socket."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

import zmq

from harness.sim.zmq.failures import failure

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore


class Monitor:
    """The events of one socket; nothing is made of them until somebody asks."""

    __slots__ = ("_core", "_mask", "_speaker")

    def __init__(self, core: SocketCore) -> None:
        self._core = core
        self._speaker: SocketCore | None = None
        self._mask = 0

    @property
    def active(self) -> bool:
        """Somebody listens."""
        return self._speaker is not None

    def start(self, address: str, events: int) -> None:
        """Publish `events` at `address`, an inproc one. Raises ZMQError."""
        transport, separator, _ = address.partition("://")
        if not separator:
            raise failure(errno.EINVAL)
        if transport != "inproc":
            raise failure(errno.EPROTONOSUPPORT)
        self.stop()
        speaker = self._core.context.internal_socket(int(zmq.PAIR))
        speaker.options.set(int(zmq.LINGER), 0)
        try:
            speaker.endpoints.bind(address)
        except zmq.ZMQError:
            speaker.endpoints.close()
            raise
        self._speaker = speaker
        self._mask = events

    def stop(self) -> None:
        """Say so, then be silent; harmless when nobody listens."""
        speaker = self._speaker
        if speaker is not None:
            self.tell(zmq.Event.MONITOR_STOPPED, 0, "")
            self._speaker = None
            speaker.endpoints.close()

    def tell(self, event: zmq.Event, value: int, endpoint: str) -> None:
        """An event has happened: `value` is a descriptor, an errno or an interval in ms, by kind."""
        speaker = self._speaker
        if speaker is None or not self._mask & event:
            return
        if speaker.x_send(struct.pack("=Hi", int(event), value), True):
            speaker.x_send(endpoint.encode(), False)
