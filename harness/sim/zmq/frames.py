"""`zmq.Frame` inside a world: the real class, made not to share memory with the real libzmq.

A real Frame of 64 KiB or more, made without copying, would start a real thread with real sockets that frees it.
"""

from __future__ import annotations

from typing import Any

import zmq
from zmq.backend import Frame as BackendFrame
from zmq.sugar.frame import Frame as RealFrame

from harness.sim.kernel import current_thread


class SimFrame(RealFrame):
    """A frame that also knows what came with it: ``more`` and the peer's properties."""

    properties: dict[str, str]

    def __init__(
        self,
        data: Any = None,
        track: bool = False,
        copy: bool | None = None,
        copy_threshold: int | None = None,
        **kwargs: Any,
    ) -> None:
        if current_thread() is not None:
            copy = True
        super().__init__(data, track=track, copy=copy, copy_threshold=copy_threshold, **kwargs)
        object.__setattr__(self, "properties", {})

    def get(self, option: int | str | bytes) -> Any:
        """A property: ``zmq.MORE``, or ``Socket-Type``, ``Identity``, ``Peer-Address`` of a received frame."""
        if option == zmq.MORE:
            return int(self.more)
        name = option.decode() if isinstance(option, bytes) else option
        if isinstance(name, str) and name in self.properties:
            return self.properties[name]
        return super().get(option)


SimFrame.__name__ = SimFrame.__qualname__ = "Frame"
SimFrame.__module__ = "zmq"


def is_frame(data: object) -> bool:
    """Whether pyzmq would treat it as a frame."""
    return isinstance(data, BackendFrame)


def received(data: bytes, more: bool, properties: dict[str, str]) -> SimFrame:
    """A frame that has just come."""
    frame = SimFrame(data, track=False)
    frame.more = more
    frame.properties.update(properties)
    return frame
