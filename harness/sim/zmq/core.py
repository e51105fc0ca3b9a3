"""What every socket has: options, pipes, endpoints, waiting (libzmq's ``socket_base_t``).

A pattern is a subclass: it says where a frame goes and where the next one comes from. Nothing in here knows pyzmq;
`harness.sim.zmq.backend` stands between.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import zmq
from zmq.constants import SocketOption as O

from harness.sim.kernel import current_thread
from harness.sim.polling import not_yet
from harness.sim.waiting import WaitQueue
from harness.sim.zmq import misuse
from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import Frame
from harness.sim.zmq.mail import Mail
from harness.sim.zmq.monitor import Monitor
from harness.sim.zmq.options import Options
from harness.sim.zmq.pipe import Pipe

if TYPE_CHECKING:
    from harness.sim.thread import SimThread
    from harness.sim.zmq.context import ContextCore
    from harness.sim.zmq.doorbell import Doorbell
    from harness.sim.zmq.endpoints import Endpoints

_MORE = int(zmq.SNDMORE)
_NOW = int(zmq.DONTWAIT)
LATE = 1
"""Microseconds by which each time-out is late: none is early, not even after the clock became a float and back."""
IDLE = 10
"""Microseconds that a call takes which finds nothing, the second time in a row."""
_RCVTIMEO, _SNDTIMEO = int(O.RCVTIMEO), int(O.SNDTIMEO)


class SocketCore:
    """One socket. Subclasses override the hooks at the end.

    :ivar label: such as ``server:ROUTER#2``; equal in every run.
    :ivar described: the same with its addresses, for reports.
    :ivar user: the thread that waits inside of a call on this socket; None: nobody.
    :ivar watchers: called whenever something may have changed; pollers and the doorbell are here.
    """

    kind: ClassVar[int]
    linger: ClassVar[int] = -1
    subscribes: ClassVar[bool] = False
    """Outgoing messages are subscriptions: lost with a connection, sent anew with the next."""
    delimits: ClassVar[bool] = True
    """Messages of a peer that left are still read."""

    def __init__(self, context: ContextCore, number: int) -> None:
        self.context = context
        self.kernel = context.engine.kernel
        self.process = context.process
        self.number = number
        self.type_name = zmq.SocketType(self.kind).name
        self.label = f"{self.process.name}:{self.type_name}#{number}"
        self.options = Options()
        if self.linger != -1 or not context.blocky:
            self.options.set(int(O.LINGER), 0)
        self.pipes: list[Pipe] = []
        self.described = f"{self.label} (not connected)"
        self.more: bool = False
        self.last_endpoint: bytes = b""
        self.closed = False
        self.user: SimThread | None = None
        self.watchers: list[Callable[[], None]] = []
        self.doorbell: Doorbell | None = None
        self._unheard: set[Pipe] | None = None
        """Pipes of which libzmq's mailbox tells, since its commands were last taken; None: it may be any."""
        self.stirred = False
        """Something has come since the commands were last taken."""
        self.mail = Mail(self)
        self.monitor = Monitor(self)
        self.endpoints: Endpoints
        self._changed = WaitQueue(self.kernel, self.label)
        self._doomed: list[Pipe] = []
        self._idle_switch = -1

    # -- every call ---------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """At the start of each call: refuse the dead, the closed, the second thread."""
        me = current_thread()
        if me is None or me.killed:
            misuse.outsider(self, me)
        if self.user is not None and self.user is not me:
            raise misuse.shared(self, self.user)
        if self.closed:
            raise failure(errno.ENOTSOCK)
        if self.context.terminating:
            raise failure(zmq.ETERM)

    def check_closable(self) -> bool:
        """Refuse to close it under another thread's feet; False: the caller is being unwound, do nothing."""
        me = current_thread()
        if me is None or me.killed:
            return False
        if self.user is not None and self.user is not me:
            raise misuse.shared(self, self.user)
        return True

    # -- messages -----------------------------------------------------------------------------------------------------

    def send(self, frame: bytes, flags: int) -> None:
        """Send one frame, waiting for room unless told otherwise. Raises what libzmq would."""
        self.enter()
        self.stirred = False
        if self.doorbell is not None:
            self._hear(self.doorbell)
        if self.mail:
            self.mail.take()
        more = bool(flags & _MORE)
        done = self.x_send(frame, more)
        if self._doomed:
            self._bury()
        if not done:
            limit = 0 if flags & _NOW else self.options.get(_SNDTIMEO)
            if not self.wait(lambda: self.x_send(frame, more), limit, "room for a message"):
                raise failure(errno.EAGAIN)

    def recv(self, flags: int) -> bytes:
        """The next frame, waiting for it unless told otherwise. Raises what libzmq would."""
        self.enter()
        if self.mail and self.mail.is_due():
            self.take_commands()
        got = self.x_recv()
        if self._doomed:
            self._bury()
        if got is None:
            self.stirred = False
            if self.doorbell is not None:
                self._hear(self.doorbell)
            if self.mail:
                self.mail.take()
                return self.recv(flags)
            limit = 0 if flags & _NOW else self.options.get(_RCVTIMEO)
            found: list[Frame] = []
            if not self.wait(lambda: self._fetch(found), limit, "a message"):
                raise failure(errno.EAGAIN)
            got = found[0]
        elif self.doorbell is not None and (self._unheard is None or self.x_last_pipe() in self._unheard):
            self._hear(self.doorbell)  # libzmq found nothing, took its commands, and then found this
        self.more = got[1]
        return got[0]

    def _hear(self, doorbell: Doorbell) -> None:
        """Take the commands that have come."""
        doorbell.silence()
        self._unheard = set()

    def take_commands(self) -> None:
        """What ``bind``, ``connect``, ``unbind`` and ``disconnect`` begin with, whatever becomes of them."""
        self.stirred = False
        if self.doorbell is not None:
            self._hear(self.doorbell)
        if self.mail:
            self.mail.take()
        if self._doomed:
            self._bury()

    def _fetch(self, found: list[Frame]) -> bool:
        got = self.x_recv()
        if got is not None:
            found.append(got)
        return got is not None

    def wait(self, ready: Callable[[], bool], limit: int, what: str) -> bool:
        """Wait until `ready`, up to `limit` ms (-1: for ever); False: it did not become so."""
        if limit == 0:
            self.give_way()
            return False
        kernel = self.kernel
        end = None if limit < 0 else kernel.now + self.process.clock.true(limit * 1000) + LATE
        self._changed.what = f"{what} on {self.described}"
        self.user = current_thread()
        try:
            while True:
                left = None if end is None else end - kernel.now
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
                self._check_alive()
                if self.mail:
                    self.take_commands()
                done = ready()
                if self._doomed:
                    self._bury()
                if done:
                    return True
        finally:
            self.user = None

    def _check_alive(self) -> None:
        if self.closed:
            raise failure(errno.ENOTSOCK)
        if self.context.terminating:
            raise failure(zmq.ETERM)

    def give_way(self) -> None:
        """Somebody asks without waiting and gets nothing. The second time in a row this takes a little time, as it does
        in reality, so that a loop that only asks lets others go, and comes to its deadline."""
        kernel = self.kernel
        if kernel.current is None:
            return
        if self._idle_switch == kernel.switches:
            kernel.sleep(IDLE)
        self._idle_switch = kernel.switches

    def events(self) -> int:
        """POLLIN and POLLOUT as they are now."""
        self.enter()
        self.stirred = False
        if self.doorbell is not None:
            self._hear(self.doorbell)
        if self.mail:
            self.mail.take()
        mask = (int(zmq.POLLIN) if self.x_has_in() else 0) | (int(zmq.POLLOUT) if self.x_has_out() else 0)
        if self._doomed:
            self._bury()
        return mask

    # -- what happens to pipes ----------------------------------------------------------------------------------------

    def signal(self) -> None:
        """Something may have changed: wake whoever waits for this socket."""
        self.stirred = True
        if self.doorbell is not None:
            self.doorbell.ring()
        if self._changed:
            self._changed.notify_all()
        for watcher in tuple(self.watchers):
            watcher()

    def stir(self) -> None:
        """A command has come to libzmq's mailbox; it may change nothing."""
        self.stirred = True
        if self.doorbell is not None:
            self.doorbell.ring()

    def attach(self, pipe: Pipe) -> None:
        """Take in a new pipe: of the present call, or one that has come to `mail`."""
        pipe.attached = True
        self.pipes.append(pipe)
        self.x_attach(pipe)
        if pipe.peer_id is not None:
            self.x_identified(pipe)

    def identified(self, pipe: Pipe) -> None:
        """The peer of a pipe that was attached before has said who it is."""
        self.x_identified(pipe)
        self.signal()

    def read_activated(self, pipe: Pipe) -> None:
        """A pipe that was found empty holds something; known when the owner next takes commands."""
        if self._unheard is not None:
            self._unheard.add(pipe)
        self.mail.append(pipe)
        self.signal()

    def write_activated(self, pipe: Pipe) -> None:
        """A pipe that was found full has room."""
        self.x_write_activated(pipe)
        self.signal()

    def doom(self, pipe: Pipe) -> None:
        """A pipe whose peer has left is read to its end; it goes once the present call is through."""
        self._doomed.append(pipe)

    def _bury(self) -> None:
        doomed, self._doomed = self._doomed, []
        for pipe in doomed:
            if not pipe.ended:
                self.end_pipe(pipe)

    def end_pipe(self, pipe: Pipe) -> None:
        """Take a pipe out; one that is still to be taken in goes right after that."""
        if not pipe.attached:
            self.mail.drop(pipe)
            return
        pipe.ended = True
        self.pipes.remove(pipe)
        self.x_terminated(pipe)
        self.signal()

    # -- options ------------------------------------------------------------------------------------------------------

    def set(self, option: int, value: Any) -> None:
        """Set an option. Raises ZMQError (EINVAL), NotSimulated."""
        self.enter()
        if not self.x_set(option, value):
            self.options.set(option, value)
            if option in (O.SNDHWM, O.RCVHWM):
                for pipe in self.pipes:
                    channel = pipe.outgoing if option == O.SNDHWM else pipe.incoming
                    if not channel.conflate:
                        channel.set_high(value)

    def get(self, option: int) -> Any:
        """The value of an option. Raises ZMQError (EINVAL)."""
        self.enter()
        special = _SPECIAL.get(option)
        if special is not None:
            return special(self)
        return self.options.get(option)

    def __str__(self) -> str:
        return self.described

    # -- hooks --------------------------------------------------------------------------------------------------------

    def x_attach(self, pipe: Pipe) -> None:
        """Take a pipe in."""
        raise NotImplementedError

    def x_identified(self, pipe: Pipe) -> None:
        """`pipe.peer_id` is known."""

    def x_terminated(self, pipe: Pipe) -> None:
        """Forget a pipe."""
        raise NotImplementedError

    def x_read_activated(self, pipe: Pipe) -> None:
        """Read from this pipe again."""

    def x_write_activated(self, pipe: Pipe) -> None:
        """Write to this pipe again."""

    def x_hiccuped(self, pipe: Pipe) -> None:
        """The connection behind the pipe is another one now; what was said before is forgotten."""

    def x_send(self, frame: bytes, more: bool) -> bool:
        """Send a frame; False: not now. Raises ZMQError."""
        raise failure(errno.ENOTSUP)

    def x_recv(self) -> Frame | None:
        """The next frame; None: not now. Raises ZMQError."""
        raise failure(errno.ENOTSUP)

    def x_has_in(self) -> bool:
        """Whether to say POLLIN."""
        return False

    def x_has_out(self) -> bool:
        """Whether to say POLLOUT."""
        return False

    def x_set(self, option: int, value: Any) -> bool:
        """Set an option of this pattern; False: it is none."""
        return False

    def x_last_pipe(self) -> Pipe | None:
        """The pipe that the latest frame came from, if the pattern knows."""
        return None


def _asked_events(core: SocketCore) -> int:
    not_yet()  # any answer may mean that; first, so that the answer is of now
    return core.events()


def _doorbell(core: SocketCore) -> int:
    return core.context.engine.doorbell(core)


def _topics(core: SocketCore) -> int:
    count = getattr(core, "topics_count", None)
    if count is None:
        raise failure(errno.EINVAL)
    return int(count())


_SPECIAL: dict[int, Callable[[SocketCore], Any]] = {
    int(O.EVENTS): _asked_events,
    int(O.RCVMORE): lambda core: int(core.more),
    int(O.TYPE): lambda core: core.kind,
    int(O.LAST_ENDPOINT): lambda core: core.last_endpoint,
    int(O.FD): _doorbell,
    int(O.MECHANISM): lambda core: 0,
    int(O.THREAD_SAFE): lambda core: 0,
    int(O.TOPICS_COUNT): _topics,
}
