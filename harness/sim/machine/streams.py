"""The two ends of a stream connection, TCP or UNIX, as state machines without any blocking.

`Endpoint` knows what Linux knows of a socket: its addresses, what has arrived, whether the other side is finished, the
error that is due. `sockets` makes Python's socket object of it. TCP travels over the fabric's links, UNIX at once.
"""

from __future__ import annotations

import enum
import errno
import select
import selectors
import stat
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from harness.sim.machine.descriptors import OpenFile, failure, would_block
from harness.sim.machine.roads import StreamRoad
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.network import Network
    from harness.sim.timers import Timer

CAPACITY: Final = {"tcp": 2_621_440, "unix": 212_992}
"""Bytes that one direction takes before the sender waits: what Linux takes over loopback (measured, kernel 6)."""
RETRY: Final = 1_000_000
"""Microseconds until a connection request that found the queue full is sent again; doubles each time (tcp(7))."""
GIVE_UP: Final = 127_000_000
"""Microseconds after which a connection request without answer is ETIMEDOUT (six retries)."""


class State(enum.Enum):
    """Where an endpoint is in its life."""

    NEW = "new"
    LISTENING = "listening"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"


class Endpoint(OpenFile):
    """One socket. `kind` is ``tcp`` or ``unix``; `owner` the name of its process."""

    mode = stat.S_IFSOCK | 0o777

    def __init__(self, network: Network, kind: str, family: int, owner: str) -> None:
        super().__init__(network.kernel, f"{kind} socket of {owner}")
        self.network = network
        self.kind = kind
        self.family = family
        self.owner = owner
        self.state = State.NEW
        self.host, self.port = "", 0
        self.path: str | bytes = ""
        self.bound = False
        self.reuse = self.reuse_port = False
        self.backlog = 0
        self.queue: deque[Endpoint] = deque()
        self.peer: Endpoint | None = None
        self.peer_name: Any = None
        self.inbox = bytearray()
        self.finished = False
        """The other side sends no more."""
        self.closed_reading = self.closed_writing = False
        self.error = 0
        self.broken = False
        """What is sent is answered by a reset: writing is EPIPE."""
        self.on_the_way = 0
        """Bytes sent that the other side has not read yet."""
        self.capacity = CAPACITY[kind]
        self.abortive = False
        self.dead = False
        self.credentials = (0, 0, 0)
        self.road: StreamRoad | None = None
        self.patience: Timer | None = None
        """When an unanswered request for a connection is given up."""
        self.connected = WaitQueue(network.kernel, f"a connection of {self.what}")

    @property
    def listening(self) -> bool:
        """Whether it accepts connections."""
        return self.state is State.LISTENING

    @property
    def name(self) -> Any:
        """What ``getsockname`` says."""
        if self.kind == "unix":
            return self.path
        return (self.host, self.port) if self.family == self.network.inet else (self.host, self.port, 0, 0)

    # -- readiness

    def poll(self) -> int:
        """As Linux: a fresh socket is POLLOUT | POLLHUP, one that connects is nothing."""
        if self.state is State.LISTENING:
            return select.POLLIN if self.queue else 0
        if self.state is State.CONNECTING:
            return 0
        if self.state is State.NEW:
            return select.POLLOUT | select.POLLHUP
        ended = self.finished or self.closed_reading or self.state is State.FAILED
        mask = select.POLLIN if self.inbox or ended else 0
        if self.error:
            mask |= select.POLLERR | select.POLLIN | select.POLLOUT
        if self.closed_writing or self.broken or self.room() > 0 or self.state is State.FAILED:
            mask |= select.POLLOUT
        if (ended and self.closed_writing) or self.broken or self.state is State.FAILED:
            mask |= select.POLLHUP
        return mask

    def room(self) -> int:
        """Bytes that may be sent now."""
        return max(0, self.capacity - self.on_the_way)

    def take_error(self) -> int:
        """The pending error, which is no longer pending then (SO_ERROR)."""
        code, self.error = self.error, 0
        return code

    # -- bytes

    def receive(self, size: int, *, peek: bool = False) -> bytes | None:
        """What has arrived, nothing at the end, None when there is nothing yet. Raises OSError."""
        if self.inbox:
            data = bytes(self.inbox[:size])
            if not peek:
                self._taken(len(data))
            return data
        if self.error:
            raise failure(self.take_error())
        if self.finished or self.closed_reading or self.broken:
            return b""
        if self.state is not State.CONNECTED:
            raise failure(errno.EINVAL if self.kind == "unix" and self.state is State.NEW else errno.ENOTCONN)
        return None if size else b""

    def read(self, size: int) -> bytes:
        """As ``os.read`` on the socket's number."""
        while (data := self.receive(size)) is None:
            if self.nonblocking:
                raise would_block()
            self.block(self.readers, lambda: bool(self.events() & selectors.EVENT_READ))
        return data

    def write(self, data: bytes) -> int:
        """As ``os.write`` on the socket's number: all of `data`, or what finds room when non-blocking."""
        done = 0
        while True:
            taken = self.send(data[done:])
            done += taken or 0
            if done == len(data) or (taken and self.nonblocking):
                return done
            if taken is None:
                if self.nonblocking:
                    raise would_block()
                self.block(self.writers, lambda: bool(self.events() & selectors.EVENT_WRITE))

    def _taken(self, count: int) -> None:
        del self.inbox[:count]
        peer = self.peer
        if peer is not None:
            full = peer.room() <= 0
            peer.on_the_way -= count
            if full:
                peer.became_writable()

    def send(self, data: bytes) -> int | None:
        """Send what there is room for; None when there is none. Raises OSError."""
        if self.error:
            raise failure(self.take_error())
        if self.closed_writing or self.broken:
            raise failure(errno.EPIPE)
        if self.state is not State.CONNECTED:
            raise failure(errno.ENOTCONN if self.state is not State.NEW or self.kind == "unix" else errno.EPIPE)
        if self.kind == "unix" and (self.peer is None or self.peer.dead or self.peer.closed_reading):
            self.broken = True
            raise failure(errno.EPIPE)
        room = self.room()
        if not room and data:
            return None
        part = data[:room]
        self.on_the_way += len(part)
        self._post(lambda: self._delivered(part))
        return len(part)

    def _post(self, arrival: Any) -> None:
        if self.road is None:
            arrival()
        else:
            self.road.send(arrival)

    def _delivered(self, data: bytes) -> None:
        """`data` is at the other side."""
        peer = self.peer
        if peer is None:
            return  # the other side swallows everything
        if peer.dead or peer.broken:
            peer.reset_back()
            return
        if peer.closed_reading:
            self.on_the_way -= len(data)
            return
        peer.inbox += data
        peer.became_readable()

    def reset_back(self) -> None:
        """Answer with a reset what came too late."""
        other = self.peer
        if other is not None and not other.dead:
            self._post(other.was_reset)

    def was_reset(self) -> None:
        """The other side broke the connection off."""
        if self.dead or self.broken:
            return
        self.broken = True
        self.error = errno.EPIPE if self.finished else errno.ECONNRESET
        if self.state is State.CONNECTING:
            self.broken = False
            self.fail(errno.ECONNREFUSED)
        self._both()

    def fail(self, code: int) -> None:
        """The request for a connection came to nothing."""
        self.error, self.state = code, State.FAILED
        self.be_patient(None)
        self.connected.notify_all()
        self._both()

    def established(self) -> None:
        """The other side has agreed to the connection."""
        if self.dead:
            if self.peer is not None:
                self._post(self.peer.was_reset)
        elif self.state is State.CONNECTING:
            self.state = State.CONNECTED
            self.be_patient(None)
            self.connected.notify_all()
            self.became_writable()

    def be_patient(self, timer: Timer | None) -> None:
        """Wait for an answer until `timer`; None: no longer."""
        if self.patience is not None:
            self.patience.cancel()
        self.patience = timer

    def was_finished(self) -> None:
        """The other side sends no more."""
        if not self.dead:
            self.finished = True
            self.became_readable()
            if self.closed_writing:
                self.became_writable()

    def _both(self) -> None:
        self.became_readable()
        self.became_writable()

    def shutdown(self, reading: bool, writing: bool) -> None:
        """Send no more, read no more, or both; a listener stops listening. Raises OSError (ENOTCONN)."""
        if self.state is State.LISTENING:
            self._stop_listening()
            self.state = State.FAILED
            self.error = 0
            self.connected.notify_all()
            self._both()
            return
        if self.state is not State.CONNECTED:
            raise failure(errno.ENOTCONN)
        if reading:
            self.closed_reading = True
        if writing and not self.closed_writing:
            self.closed_writing = True
            self._finish()
        self._both()

    def _finish(self) -> None:
        peer = self.peer
        if peer is not None:
            self._post(peer.was_finished)

    # -- the end

    def ended(self) -> None:
        """The last descriptor is closed: finish, or reset when something was left unread."""
        if self.dead:
            return
        self.dead = True
        self.be_patient(None)
        first = not self.finished
        if self.state is State.LISTENING:
            self._stop_listening()
        elif self.state is State.CONNECTED and not self.broken:
            peer = self.peer
            if (self.inbox or self.abortive) and peer is not None:
                self._post(peer.was_reset)
                first = False
            elif not self.closed_writing:
                self._finish()
                if self.kind == "unix" and peer is not None:
                    peer._both()
        connected = self.kind == "tcp" and self.state is State.CONNECTED
        self.network.closed(self, lingering=first and connected and not self.abortive)

    def _stop_listening(self) -> None:
        while self.queue:
            waiting = self.queue.popleft()
            waiting.dead = True
            waiting.reset_back()
        self.network.stopped_listening(self)
