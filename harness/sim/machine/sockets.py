"""``socket.socket`` over simulated endpoints: blocking, time-outs, options."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.machine import socket_options
from harness.sim.machine.descriptors import Descriptor, failure, would_block
from harness.sim.machine.fileobjects import socket_file
from harness.sim.machine.streams import Endpoint, State

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

REAL_SOCKET: Final = socket.socket
_FLAGS: Final = int(getattr(socket, "SOCK_NONBLOCK", 0)) | int(getattr(socket, "SOCK_CLOEXEC", 0))


class SocketKind(type):
    """Lets real sockets, made outside of the world, count as instances of what replaces their class."""

    def __instancecheck__(cls, instance: object) -> bool:
        every = cls.__dict__.get("stands_for_all")
        return isinstance(instance, REAL_SOCKET) if every else type.__instancecheck__(cls, instance)


class SimSocket(socket.socket, metaclass=SocketKind):
    """A stream socket of the world.

    Made by a thread outside of every world it is a real one. One subclass a world, made by `socket_class`, knows its
    machine.
    """

    machine: ClassVar[Machine]
    stands_for_all: ClassVar[bool] = False
    _descriptor: Descriptor | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        if current_thread() is None:
            return REAL_SOCKET(*args, **kwargs)
        return super().__new__(cls)

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        self._io_refs = 0
        self._closed = False
        self._descriptor = None
        state = self.machine.state()
        if fileno is not None:
            self._adopt(state.table.get(_number(fileno)))
        else:
            family = int(socket.AF_INET) if family == -1 else int(family)
            plain = int(socket.SOCK_STREAM) if type == -1 else int(type) & ~_FLAGS
            self._adopt(state.table.add(self.machine.network.endpoint(kind_of(family, plain), family)))
        self._proto = max(proto, 0)
        self._options: socket_options.Kept = {}
        self._time_out: float | None = socket.getdefaulttimeout()
        self._endpoint.nonblocking = self._time_out is not None
        if type != -1 and int(type) & int(getattr(socket, "SOCK_NONBLOCK", 0)):
            self.setblocking(False)

    def _adopt(self, descriptor: Descriptor) -> None:
        if not isinstance(descriptor.file, Endpoint):
            raise failure(errno.ENOTSOCK)
        self._descriptor = descriptor
        self._endpoint: Endpoint = descriptor.file

    def _open(self) -> Endpoint:
        mine = self._descriptor
        if mine is None or self.machine.state().table.entries.get(mine.number) is not mine:
            raise failure(errno.EBADF)
        return self._endpoint

    # -- what it is

    @property
    def family(self) -> Any:
        """``AF_INET``, ``AF_INET6`` or ``AF_UNIX``."""
        return socket.AddressFamily(self._endpoint.family)

    @property
    def type(self) -> Any:
        """``SOCK_STREAM``."""
        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As it was made with."""
        return self._proto

    @property
    def timeout(self) -> float | None:
        """Seconds; None: blocking."""
        return self._time_out

    def fileno(self) -> int:
        """Its number; -1 when closed."""
        return -1 if self._descriptor is None else self._descriptor.number

    def __repr__(self) -> str:
        return f"<socket.socket fd={self.fileno()}, family={self._endpoint.family}, {self._endpoint.state.value}>"

    def getsockname(self) -> Any:
        """Its own address."""
        endpoint = self._open()
        if endpoint.kind == "tcp" and not endpoint.host:
            host = "0.0.0.0" if endpoint.family == socket.AF_INET else "::"
            return (host, 0) if endpoint.family == socket.AF_INET else (host, 0, 0, 0)
        return endpoint.name

    def getpeername(self) -> Any:
        """The other side's address. Raises OSError (ENOTCONN)."""
        endpoint = self._open()
        if endpoint.state is not State.CONNECTED or (endpoint.broken and endpoint.kind == "tcp"):
            raise failure(errno.ENOTCONN)
        return endpoint.peer_name if endpoint.peer_name is not None else ""

    # -- blocking

    def settimeout(self, value: float | None) -> None:
        """Seconds that a call may wait; 0: none, None: any."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._time_out = None if value is None else float(value)
        self._endpoint.nonblocking = value is not None

    def gettimeout(self) -> float | None:
        """See `settimeout`."""
        return self._time_out

    def setblocking(self, flag: bool) -> None:
        """``settimeout(None)`` or ``settimeout(0)``."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._time_out != 0

    def set_inheritable(self, inheritable: bool) -> None:
        """Whether children get it."""
        os.set_inheritable(self.fileno(), inheritable)

    def get_inheritable(self) -> bool:
        """Whether children get it."""
        return os.get_inheritable(self.fileno())

    def _await(self, queue: Any, ready: Callable[[], bool], flags: int = 0) -> None:
        """Wait within the time-out. Raises BlockingIOError, TimeoutError."""
        if ready():
            return
        if self._time_out == 0 or flags & int(getattr(socket, "MSG_DONTWAIT", 0)):
            raise would_block()
        limit = None if self._time_out is None else self.machine.us(self._time_out)
        with self.machine.state().table.holding(self._endpoint):
            if not self._endpoint.block(queue, ready, limit):
                raise TimeoutError("timed out")

    # -- connections

    def bind(self, address: Any) -> None:
        """Take an address."""
        self.machine.network.bind(self._open(), address)

    def listen(self, backlog: int = 128) -> None:
        """Accept connections."""
        self.machine.network.listen(self._open(), backlog)

    def _accept(self) -> tuple[int, Any]:
        endpoint = self._open()
        if not endpoint.listening:
            raise failure(errno.EINVAL)
        self._await(endpoint.readers, lambda: bool(endpoint.queue) or not endpoint.listening)
        if not endpoint.listening:
            raise failure(errno.EINVAL)
        accepted = endpoint.queue.popleft()
        number = self.machine.state().table.add(accepted).number
        return number, accepted.peer_name if accepted.peer_name is not None else ""

    def connect(self, address: Any) -> None:
        """Connect, waiting within the time-out. Raises OSError."""
        endpoint = self._open()
        if endpoint.state is State.FAILED:
            if endpoint.error:
                raise failure(endpoint.take_error())
            endpoint.state = State.NEW
        if endpoint.kind == "unix":
            self._connect_unix(endpoint, address)
            return
        if self.machine.network.connect(endpoint, address):
            return
        if self._time_out == 0:
            raise failure(errno.EINPROGRESS)
        self._await(endpoint.connected, lambda: endpoint.state is not State.CONNECTING)
        if endpoint.state is State.FAILED:
            code = endpoint.take_error()
            endpoint.state = State.NEW
            raise failure(code)

    def _connect_unix(self, endpoint: Endpoint, address: Any) -> None:
        limit = None if self._time_out is None else self.machine.kernel.now + self.machine.us(self._time_out)
        while True:
            try:
                self.machine.network.connect(endpoint, address)
                return
            except BlockingIOError:
                # The queue is full: as long as the time-out allows, look again.
                if self._time_out == 0 or (limit is not None and self.machine.kernel.now >= limit):
                    raise
            self.machine.kernel.sleep(1000)

    def connect_ex(self, address: Any) -> int:
        """`connect`, with the error's number instead of an exception."""
        try:
            self.connect(address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    def shutdown(self, how: int) -> None:
        """Read no more, write no more, or both."""
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise failure(errno.EINVAL)
        self._open().shutdown(how != socket.SHUT_WR, how != socket.SHUT_RD)

    def _real_close(self, _ss: object = None) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            descriptor.close()

    def detach(self) -> int:
        """Let go of the number without closing it."""
        self._closed = True
        number = self.fileno()
        self._descriptor = None
        return number

    def dup(self) -> Any:
        """The same endpoint under another number."""
        made = self.__class__(fileno=os.dup(self.fileno()))
        made.settimeout(self._time_out)
        return made

    def __del__(self) -> None:
        thread = current_thread()
        if thread is not None and not thread.killed and getattr(self, "_descriptor", None) is not None:
            self._real_close()

    # -- bytes

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Up to `bufsize` bytes; none at the end."""
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        endpoint = self._open()
        peek = bool(flags & socket.MSG_PEEK)
        data = endpoint.receive(bufsize, peek=peek)
        if data is not None:
            return data
        found: list[bytes] = []

        def ready() -> bool:
            now = endpoint.receive(bufsize, peek=peek)
            if now is None:
                return False
            found.append(now)
            return True

        self._await(endpoint.readers, ready, flags)
        data = found[0]
        if flags & socket.MSG_WAITALL and 0 < len(data) < bufsize:
            data += self.recv(bufsize - len(data), flags)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """`recv` into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """`recv`, and no address: streams give none."""
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """`recv_into`, and no address."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """`recv` without ancillary data, of which nothing is ever sent."""
        return self.recv(bufsize, flags), [], 0, None

    def send(self, data: Any, flags: int = 0) -> int:
        """Send what there is room for, waiting for some."""
        endpoint = self._open()
        view = bytes(data)
        sent = endpoint.send(view)
        if sent is None:
            done: list[int] = []

            def ready() -> bool:
                now = endpoint.send(view)
                if now is None:
                    return False
                done.append(now)
                return True

            self._await(endpoint.writers, ready, flags)
            sent = done[0]
        return sent

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it, within one time-out for everything."""
        view = memoryview(data).cast("B")
        limit = None if self._time_out is None else self.machine.kernel.now + self.machine.us(self._time_out)
        while view:
            if limit is not None and self._time_out and self.machine.kernel.now >= limit:
                raise TimeoutError("timed out")
            view = view[self.send(view, flags) :]

    def sendto(self, data: Any, *rest: Any) -> int:
        """`send`; an address is refused, as by any connected stream."""
        if rest and not isinstance(rest[-1], int):
            raise failure(errno.EISCONN)
        return self.send(data)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """`send` of several buffers."""
        del address
        if list(ancdata):
            raise NotSimulated("socket.sendmsg(ancdata) is not simulated: pass descriptors with Popen(pass_fds=...)")
        return self.send(b"".join(bytes(one) for one in buffers), flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Read and send."""
        file.seek(offset)
        sent = 0
        while data := file.read(65_536 if count is None else min(65_536, count - sent)):
            self.sendall(data)
            sent += len(data)
        return sent

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """A file object; see `socket.socket.makefile`."""
        made = socket_file(self, mode, -1 if buffering is None else buffering, options)
        self._io_refs += 1
        return made

    # -- options

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """SO_ERROR and what was set."""
        return socket_options.get(self._open(), self._options, level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """See `socket_options.put`."""
        del optlen
        socket_options.put(self._open(), self._options, level, optname, value)


def kind_of(family: int, kind: int) -> str:
    """``tcp`` or ``unix``. Raises NotSimulated for every other socket."""
    if kind != socket.SOCK_STREAM:
        raise NotSimulated(f"socket.socket(type={kind}) is not simulated: only SOCK_STREAM is")
    if family == socket.AF_UNIX:
        return "unix"
    if family in (socket.AF_INET, socket.AF_INET6):
        return "tcp"
    raise NotSimulated(f"socket.socket(family={family}) is not simulated: AF_INET, AF_INET6 and AF_UNIX are")


def _number(fileno: Any) -> int:
    if not isinstance(fileno, int):
        raise TypeError(f"'{type(fileno).__name__}' object cannot be interpreted as an integer")
    if fileno < 0:
        raise ValueError("negative file descriptor")
    return fileno
