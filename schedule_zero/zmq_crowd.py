"""Places for the TCP connections of a listening ZeroMQ socket: who is silent gives way to who comes.

libzmq (4.3.5) takes as many connections as there are descriptors, then spins on the one that it has none for; so does
Tornado on the next caller of the API, and the store cannot open its file again. ``ZMQ_HANDSHAKE_IVL`` ends those that
do not even greet, but not before new ones are there, and none that greets and is silent then. So the socket's monitor
tells of every connection, and for one too many the one that has been silent for the longest time is shut down. libzmq
then finds that its peer has gone; a handler, should it have been one, connects again by itself.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket as plain
import struct
from collections.abc import Callable
from typing import Final

import zmq
import zmq.asyncio

from schedule_zero.complaints import Complaints

__all__ = ["HANDSHAKE_MS", "ZmqCrowd", "most_peers"]

#: Milliseconds in which a connection must have greeted in ZeroMQ's way, with its key if one is asked for.
HANDSHAKE_MS: Final = 10_000
#: Connections at the same time, where the process may have that many descriptors.
_MOST: Final = 2000
_EVENT: Final = struct.Struct("=Hi")
#: Events that are taken before the rest of the event loop gets its turn.
_BATCH: Final = 1000
_POLL_MS: Final = 60_000


def most_peers() -> int:
    """How many connections leave enough descriptors for all else: HTTP takes half of them, see `http_server`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(16, min(_MOST, soft // 4))


class ZmqCrowd:
    """The connections of `socket`, `most` of them at a time; `count` is called when one is shut down for a newcomer.

    Between `start`, before the socket is bound, and `stop`, before it is closed. Whoever receives from the socket tells
    `heard`.
    """

    def __init__(
        self, socket: zmq.asyncio.Socket, most: int, logger: logging.Logger, *, count: Callable[[], None]
    ) -> None:
        self.most = most
        self._count = count
        self._socket = socket
        self._complaints = Complaints(logger)
        #: Their descriptors; the one that has been silent for the longest time comes first.
        self._peers: dict[int, None] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def open(self) -> int:
        """Connections at this moment."""
        return len(self._peers)

    def start(self, context: zmq.asyncio.Context) -> None:
        """Watch from now on."""
        address = f"inproc://crowd-{id(self):x}"
        self._socket.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        events = context.socket(zmq.PAIR)
        events.setsockopt(zmq.LINGER, 0)
        # Without a limit: libzmq's own thread would wait here for a reader that is late, and everybody for that thread.
        events.setsockopt(zmq.RCVHWM, 0)
        events.connect(address)
        self._task = asyncio.create_task(self._watch(events), name="registration-crowd")

    async def stop(self) -> None:
        """Watch no more; the connections stay."""
        task, self._task = self._task, None
        if task is not None:
            self._socket.monitor(None, 0)
            task.cancel()
            await asyncio.wait({task})

    def heard(self, frame: zmq.Frame) -> None:
        """Something came, in this frame."""
        try:
            descriptor = frame.get(zmq.SRCFD)
        except zmq.ZMQError:
            return  # a transport that has none
        if descriptor in self._peers:
            del self._peers[descriptor]
            self._peers[descriptor] = None

    async def _watch(self, events: zmq.asyncio.Socket) -> None:
        try:
            while True:
                await events.poll(_POLL_MS)
                for _ in range(_BATCH):
                    try:
                        event, *_ = await events.recv_multipart(zmq.NOBLOCK)
                    except zmq.Again:
                        break
                    self._take(*_EVENT.unpack(event))
        finally:
            events.close(linger=0)

    def _take(self, event: int, descriptor: int) -> None:
        if event == zmq.EVENT_DISCONNECTED:
            self._peers.pop(descriptor, None)
        elif event == zmq.EVENT_ACCEPTED:
            self._peers.pop(descriptor, None)
            if len(self._peers) >= self.most:
                self._displace()
            self._peers[descriptor] = None

    def _displace(self) -> None:
        oldest = next(iter(self._peers))
        del self._peers[oldest]
        self._count()
        message = "more than %d connections: each new one ends the one that has been silent for the longest time"
        self._complaints.say("crowd", message, self.most)
        _shut(oldest, _port_of(self._socket))


def _port_of(socket: zmq.asyncio.Socket) -> int:
    return int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


def _shut(descriptor: int, port: int) -> None:
    """End the connection, unless its descriptor stands for something else by now: then it has ended."""
    try:
        # It stays libzmq's, which closes it; one of our own might not be to be had.
        peer = plain.socket(fileno=descriptor)
    except OSError:
        return
    try:
        if peer.family in (plain.AF_INET, plain.AF_INET6) and peer.getsockname()[1] == port:
            peer.shutdown(plain.SHUT_RDWR)
    except OSError:
        return
    finally:
        peer.detach()
