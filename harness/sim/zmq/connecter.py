"""A connected address: connects, and connects again (libzmq's ``stream_connecter_base_t``)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import zmq

from harness.sim.process import ProcessState
from harness.sim.zmq.connection import Connection
from harness.sim.zmq.endpoint import Endpoint
from harness.sim.zmq.listener import Listener
from harness.sim.zmq.session import Session, new_pipe

if TYPE_CHECKING:
    from harness.sim.timers import Timer
    from harness.sim.zmq.core import SocketCore


class Connecter:
    """Keeps one connection alive. Its session, and the pipe behind it, outlive each connection.

    While nobody listens, it waits for a listener instead of trying every 100 to 200 ms (unless somebody monitors the
    socket and would see that); when one appears, what is left of the interval is drawn.
    """

    def __init__(self, core: SocketCore, endpoint: Endpoint) -> None:
        self.core = core
        self.endpoint = endpoint
        self._engine = core.context.engine
        self._fabric = self._engine.fabric
        self.session = Session(core, str(endpoint), core.options.copy(), active=True)
        self.source = core.process.name
        self.target = ""
        self._interval = -1
        self._timer: Timer | None = None
        self._stopped = False
        self._stalled = False
        self._connection: Connection | None = None
        self._fd = 0
        if not self.session.options.get(int(zmq.IMMEDIATE)):
            pipe = self.session.pipe = new_pipe(core, self.session, local=True)
            core.attach(pipe)
        self._attempt()

    # -- trying -------------------------------------------------------------------------------------------------------

    def _attempt(self) -> None:
        self._timer = None
        if self._given_up():
            return
        monitor = self.core.monitor
        listener = self._find()
        if listener is None and not monitor.active:
            self._fabric.await_listener(self.endpoint.key, self._appeared)
            return
        self._fd = self._engine.descriptor_number()
        monitor.tell(zmq.Event.CONNECT_DELAYED, errno.EINPROGRESS, self.session.endpoint)
        self.target = listener.core.process.name if listener is not None else self.source
        if not self._open():
            # The first packet is lost and repeated until the link heals.
            self._stalled = True
            self._fabric.join(self)
            return
        self._later(self._knock)

    def _find(self) -> Listener | None:
        engine = self._engine
        if self.endpoint.transport == "ipc":
            return engine.ipc.get(self.endpoint.place)
        host = self.endpoint.host
        six = ":" in host
        if six and not self.session.options.get(int(zmq.IPV6)):
            return None
        found = self._fabric.ports.find(host, self.endpoint.port)
        # 0.0.0.0 does not listen to IPv6; :: does to both.
        return found if isinstance(found, Listener) and not (six and found.endpoint.place == "0.0.0.0") else None

    def _open(self) -> bool:
        fabric = self._fabric
        return fabric.is_open(self.source, self.target) and fabric.is_open(self.target, self.source)

    def link_changed(self) -> None:
        """The fabric: links have changed; a first packet that was stuck may pass."""
        if self._stalled and self._open():
            self._stalled = False
            self._fabric.part(self)
            self._later(self._knock)

    def _later(self, step: object) -> None:
        delay = self._fabric.delay(self.source, self.target)
        self._timer = self.core.kernel.call_later(delay, step)  # type: ignore[arg-type]

    def _knock(self) -> None:
        """The first packet arrives."""
        listener = self._find()
        if listener is None:
            self._later(self._refused)
            return
        connection = self._connection = Connection(self, listener)
        listener.core.monitor.tell(zmq.Event.ACCEPTED, connection.server_fd, str(listener.endpoint))
        self._later(self._accepted)

    def _refused(self) -> None:
        self.core.monitor.tell(zmq.Event.CLOSED, self._fd, self.session.endpoint)
        self._again()

    def _accepted(self) -> None:
        """The answer arrives: connected. The greetings take another way there and back."""
        connection = self._connection
        if connection is None:
            return
        self.core.monitor.tell(zmq.Event.CONNECTED, connection.client_fd, self.session.endpoint)
        self._later(self._greeted)

    def _greeted(self) -> None:
        self._timer = None
        connection = self._connection
        if connection is None:
            return
        if self._given_up():
            connection.break_off()
            return
        if not connection.listener.open:
            connection.break_off()
            self._connection = None
            self.core.monitor.tell(zmq.Event.DISCONNECTED, connection.client_fd, self.session.endpoint)
            self._again()
            return
        server = connection.server.core.process
        if server.state is ProcessState.PAUSED:
            # The operating system has accepted; the frozen process greets nobody.
            self._engine.when_resumed(server, self._greeted)
            return
        self._interval = -1
        connection.greet()

    # -- losing -------------------------------------------------------------------------------------------------------

    def lost(self) -> None:
        """The connection is gone: keep the pipe, get a new connection."""
        self.session.connection = None
        self._connection = None
        core, pipe = self.core, self.session.pipe
        if self._given_up():
            # Only what lingers needed it.
            self.session.release_pipe()
            return
        if pipe is not None and self.session.options.get(int(zmq.IMMEDIATE)):
            self.session.release_pipe()
        elif pipe is not None and core.subscribes:
            pipe.outgoing.items.clear()
            core.mail.hiccup(pipe)
        self._again()

    def refused_for_good(self) -> None:
        """The peer speaks another language: stay away (libzmq does not try again after a protocol error)."""
        self._connection = None
        self._stopped = True
        self.session.connection = None
        self.session.release_pipe()

    def cannot_read(self) -> None:
        """The peer's READY is longer than this side takes: stay away. What is unsent lingers (libzmq 4.3.5)."""
        self._connection = None
        self._stopped = True
        self.session.connection = None

    def _again(self) -> None:
        if self._given_up():
            return
        interval = self._next_interval()
        if interval <= 0:
            self._stopped = True
            self.session.release_pipe()
            self.core.endpoints.forget(self)
            return
        monitor = self.core.monitor
        monitor.tell(zmq.Event.CONNECT_RETRIED, interval, self.session.endpoint)
        if not monitor.active and self._find() is None:
            self._fabric.await_listener(self.endpoint.key, self._appeared)
            return
        self._timer = self.core.kernel.call_later(interval * 1000, self._attempt)

    def _appeared(self) -> None:
        """Somebody listens now: try when the interval that is running ends."""
        if not self._given_up():
            interval = max(1, self._next_interval()) * 1000
            left = self.core.kernel.draw("net", 0, interval, "reconnect")
            self._timer = self.core.kernel.call_later(left, self._attempt)

    def _next_interval(self) -> int:
        """Milliseconds to the next attempt, as ``get_new_reconnect_ivl`` has it; 0 or less: there is none."""
        options = self.session.options
        base = int(options.get(int(zmq.RECONNECT_IVL)))
        most = int(options.get(int(zmq.RECONNECT_IVL_MAX)))
        if base <= 0:
            return base
        if most > 0:
            self._interval = min(most, base if self._interval == -1 else self._interval * 2)
            return self._interval
        return base + self.core.kernel.draw("net", 0, base - 1, "reconnect jitter")

    # -- the end ------------------------------------------------------------------------------------------------------

    def _given_up(self) -> bool:
        return self._stopped and not self.session.draining

    def stop(self, linger: int) -> None:
        """Connect no more; what is unsent lingers."""
        self._stopped = True
        pipe = self.session.pipe
        if pipe is not None and not pipe.ended:
            pipe.leave(linger)
        if self.session.pipe is None:
            self.session.abort()
            self._halt()

    def _halt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fabric.forget(self.endpoint.key, self._appeared)
        self._fabric.part(self)
        connection = self._connection
        if connection is not None and not connection.ready:
            connection.break_off()
            connection.server.core.monitor.tell(
                zmq.Event.DISCONNECTED, connection.server_fd, connection.server.endpoint
            )
