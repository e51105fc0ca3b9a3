"""XPUB and PUB: each message to everybody who has subscribed to a beginning of it (libzmq's ``xpub_t``)."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable
from typing import Any, ClassVar

import zmq

from harness.sim.errors import NotSimulated
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.distributor import Distributor
from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import Frame
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.router import check_flag

_SUBSCRIBE, _CANCEL = b"\x01", b"\x00"


class Topics:
    """Who has subscribed to what."""

    def __init__(self) -> None:
        self._pipes: dict[bytes, dict[Pipe, None]] = {}

    def add(self, topic: bytes, pipe: Pipe) -> bool:
        """Whether it is the first subscription of this topic, by whomever."""
        first = topic not in self._pipes
        self._pipes.setdefault(topic, {})[pipe] = None
        return first

    def remove(self, topic: bytes, pipe: Pipe) -> bool:
        """Whether it was the last subscription of this topic."""
        pipes = self._pipes.get(topic)
        if pipes is None or pipe not in pipes:
            return False
        del pipes[pipe]
        if not pipes:
            del self._pipes[topic]
        return not pipes

    def of(self, pipe: Pipe) -> list[bytes]:
        """What this peer has subscribed to, sorted."""
        return sorted(topic for topic, pipes in self._pipes.items() if pipe in pipes)

    def matching(self, frame: bytes, pipes: Iterable[Pipe]) -> list[Pipe]:
        """Those of `pipes` that want a message with this first frame."""
        wanted: dict[Pipe, None] = {}
        table = self._pipes
        for topic, subscribers in table.items():
            if frame.startswith(topic):
                wanted.update(subscribers)
        return [pipe for pipe in pipes if pipe in wanted]

    def __len__(self) -> int:
        return len(self._pipes)


class XPubCore(SocketCore):
    """Publishes, and receives its subscriptions as messages."""

    kind: ClassVar[int] = int(zmq.XPUB)
    delimits: ClassVar[bool] = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.topics = Topics()
        self.distributor = Distributor()
        self.verbose = False
        self.verbose_cancels = False
        self.lossy = True
        self.first_only = False
        self.welcome = b""
        self._news: deque[Frame] = deque()

    def topics_count(self) -> int:
        """For ``TOPICS_COUNT``."""
        return len(self.topics)

    def x_attach(self, pipe: Pipe) -> None:
        """Welcome it, then listen to its subscriptions."""
        self.distributor.attach(pipe)
        if self.welcome:
            pipe.write(self.welcome, False)
        self.x_read_activated(pipe)

    def x_terminated(self, pipe: Pipe) -> None:
        """Its subscriptions are cancelled."""
        for topic in self.topics.of(pipe):
            if self.topics.remove(topic, pipe) or self.verbose_cancels:
                self._tell(_CANCEL + topic)
        self.distributor.remove(pipe)

    def x_read_activated(self, pipe: Pipe) -> None:
        """Take in its subscriptions: any part is one, with ``ONLY_FIRST_SUBSCRIBE`` only if the first part is."""
        first, heeded = True, True
        while (got := pipe.read()) is not None:
            frame, more = got
            subscribes = (first or heeded) and frame[:1] in (_SUBSCRIBE, _CANCEL)
            if first:
                heeded = subscribes or not self.first_only
            if subscribes:
                self._subscription(pipe, frame)
            else:
                self._tell(frame, more)
            first = not more

    def _subscription(self, pipe: Pipe, frame: bytes) -> None:
        topic = frame[1:]
        if frame[:1] == _SUBSCRIBE:
            if self.topics.add(topic, pipe) or self.verbose:
                self._tell(frame)
        elif self.topics.remove(topic, pipe) or self.verbose_cancels:
            self._tell(frame)

    def _tell(self, frame: bytes, more: bool = False) -> None:
        self._news.append((frame, more))

    def x_send(self, frame: bytes, more: bool) -> bool:
        """To all that want it and have room; False only with ``XPUB_NODROP``."""
        if not self.distributor.more:
            matching = self.topics.matching(frame, self.distributor.pipes)
            if not self.lossy and not self.distributor.has_room(matching):
                return False
            self.distributor.choose(matching)
        self.distributor.send(frame, more)
        return True

    def x_has_out(self) -> bool:
        """Always."""
        return True

    def x_recv(self) -> Frame | None:
        """A subscription, a cancellation, or what a subscriber has sent; ENOTSUP for a PUB."""
        return self._news.popleft() if self._news else None

    def x_has_in(self) -> bool:
        """There is news of subscriptions; never for a PUB."""
        return bool(self._news)

    def x_set(self, option: int, value: Any) -> bool:
        """The ``XPUB_…`` options, ``ONLY_FIRST_SUBSCRIBE``."""
        if option == zmq.XPUB_VERBOSE:
            self.verbose = check_flag(value)
            self.verbose_cancels = False
        elif option == zmq.XPUB_VERBOSER:
            self.verbose = self.verbose_cancels = check_flag(value)
        elif option == zmq.XPUB_NODROP:
            self.lossy = not check_flag(value)
        elif option == zmq.ONLY_FIRST_SUBSCRIBE:
            self.first_only = check_flag(value)
        elif option == zmq.XPUB_WELCOME_MSG:
            self.welcome = bytes(value)
        elif option in (zmq.XPUB_MANUAL, zmq.XPUB_MANUAL_LAST_VALUE):
            if check_flag(value):
                raise NotSimulated("setsockopt(XPUB_MANUAL, 1) is not simulated: let XPUB keep its own subscriptions")
        else:
            return False
        return True


class PubCore(XPubCore):
    """Publishes only."""

    kind: ClassVar[int] = int(zmq.PUB)

    def _tell(self, frame: bytes, more: bool = False) -> None:
        """Nobody asks a PUB for its subscriptions."""

    def x_recv(self) -> Frame | None:
        """A subscription, a cancellation, or what a subscriber has sent; ENOTSUP for a PUB."""
        raise failure(errno.ENOTSUP)

    def x_has_in(self) -> bool:
        """There is news of subscriptions; never for a PUB."""
        return False
