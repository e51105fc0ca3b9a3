"""XSUB and SUB: what matches a subscription, from all publishers in turn (libzmq's ``xsub_t``)."""

from __future__ import annotations

import errno
from typing import Any, ClassVar

import zmq

from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import FairQueue, Frame
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.router import check_flag


class XSubCore(SocketCore):
    """Subscribes by sending messages: 1 or 0, then the topic."""

    kind: ClassVar[int] = int(zmq.XSUB)
    linger: ClassVar[int] = 0
    subscribes: ClassVar[bool] = True
    filters: ClassVar[bool] = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.queue = FairQueue()
        self.topics: dict[bytes, int] = {}
        self.first_only = False
        self._more_out = False
        self._heeded = True
        self._more_in = False
        self._found: Frame | None = None

    def topics_count(self) -> int:
        """For ``TOPICS_COUNT``."""
        return len(self.topics)

    def x_attach(self, pipe: Pipe) -> None:
        """Read from it, and tell it all subscriptions."""
        self.queue.attach(pipe)
        self.x_hiccuped(pipe)

    def x_hiccuped(self, pipe: Pipe) -> None:
        """Tell it all subscriptions again."""
        for topic in sorted(self.topics):
            pipe.write(b"\x01" + topic, False)

    def x_terminated(self, pipe: Pipe) -> None:
        """Out of the rotation."""
        self.queue.remove(pipe)

    def x_read_activated(self, pipe: Pipe) -> None:
        """Back into the rotation."""
        self.queue.activated(pipe)

    # -- out ----------------------------------------------------------------------------------------------------------

    def x_send(self, frame: bytes, more: bool) -> bool:
        """A subscription or cancellation, or a message to all publishers; ENOTSUP for a SUB.

        Any part may be one; with ``ONLY_FIRST_SUBSCRIBE`` only if the first part is.
        """
        first, self._more_out = not self._more_out, more
        subscribes = (first or self._heeded) and frame[:1] in (b"\x00", b"\x01")
        if first:
            self._heeded = subscribes or not self.first_only
        if not subscribes or self._note(frame):
            for pipe in self.pipes:
                pipe.write(frame, more)
        return True

    def _note(self, frame: bytes) -> bool:
        """Keep the subscriptions; whether the peers are told: of each subscription, and of the last cancellation."""
        topic = frame[1:]
        count = self.topics.get(topic, 0)
        if frame[:1] == b"\x01":
            self.topics[topic] = count + 1
            return True
        if count > 1:
            self.topics[topic] = count - 1
        elif count == 1:
            del self.topics[topic]
        return count == 1

    def x_has_out(self) -> bool:
        """Always; never for a SUB."""
        return True

    def x_set(self, option: int, value: Any) -> bool:
        """``SUBSCRIBE``, ``UNSUBSCRIBE`` (SUB), ``ONLY_FIRST_SUBSCRIBE``."""
        if option == zmq.ONLY_FIRST_SUBSCRIBE:
            self.first_only = check_flag(value)
            return True
        return False

    # -- in -----------------------------------------------------------------------------------------------------------

    def x_recv(self) -> Frame | None:
        """The next frame that is wanted."""
        got, self._found = self._found or self._next(), None
        if got is not None:
            self._more_in = got[1]
        return got

    def _next(self) -> Frame | None:
        """The next frame that passes the filter; parts after the first always do."""
        while True:
            got = self.queue.receive()
            if got is None or self._more_in or not self.filters or self._wanted(got[0]):
                return got
            while got is not None and got[1]:
                got = self.queue.receive()

    def _wanted(self, frame: bytes) -> bool:
        return any(frame.startswith(topic) for topic in self.topics)

    def x_has_in(self) -> bool:
        """There is something that is wanted; it is taken out of its pipe."""
        if self._more_in:
            return True
        if self._found is None:
            self._found = self._next()
        return self._found is not None

    def x_last_pipe(self) -> Pipe | None:
        """Who sent the latest frame."""
        return self.queue.last


class SubCore(XSubCore):
    """Subscribes by options."""

    kind: ClassVar[int] = int(zmq.SUB)
    filters: ClassVar[bool] = True

    def x_send(self, frame: bytes, more: bool) -> bool:
        """A subscription or cancellation, or a message to all publishers; ENOTSUP for a SUB."""
        raise failure(errno.ENOTSUP)

    def x_has_out(self) -> bool:
        """Always; never for a SUB."""
        return False

    def x_set(self, option: int, value: Any) -> bool:
        """``SUBSCRIBE``, ``UNSUBSCRIBE`` (SUB), ``ONLY_FIRST_SUBSCRIBE``."""
        if option not in (zmq.SUBSCRIBE, zmq.UNSUBSCRIBE):
            return False
        # A SUB takes no ONLY_FIRST_SUBSCRIBE: its subscriptions are never parts of messages.
        super().x_send((b"\x01" if option == zmq.SUBSCRIBE else b"\x00") + value, False)
        return True
