"""pyzmq's compiled layer, in Python: what `zmq.Context` and `zmq.Socket` find beneath them inside a world.

Each method has the name, the parameters, the checks and the errors of ``zmq/backend/cython/_zmq.py`` (pyzmq 27).
An object that was made outside of the world has no core, and goes on to the compiled layer.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

import zmq
from zmq.backend import Context as BackendContext
from zmq.constants import SocketOption, _OptType

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.zmq.c_int import c_int
from harness.sim.zmq.context import ContextCore
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.engine import Engine
from harness.sim.zmq.failures import failure
from harness.sim.zmq.frames import is_frame, received

_LINGER = int(zmq.LINGER)


class SimContext:
    """Stands between `zmq.Context` and its compiled base."""

    engine: ClassVar[Engine]
    _core: ContextCore | None = None
    _handle: int = 0
    _gone: bool = False

    def __init__(self, io_threads: int = 1, shadow: int = 0) -> None:
        if current_thread() is None:
            super().__init__(io_threads=io_threads, shadow=shadow)  # type: ignore[call-arg]
            return
        if shadow:
            core = self.engine.resolve(shadow)
            if not isinstance(core, ContextCore):
                raise failure(errno.EFAULT)
            handle = shadow
        else:
            io_threads = c_int(io_threads)
            core = self.engine.new_context()
            handle = self.engine.register(core)
            core.set(int(zmq.IO_THREADS), io_threads)
        self.__dict__.update(_core=core, _handle=handle)
        self.engine.objects.add(self)

    @property
    def underlying(self) -> int:
        """The handle of the context."""
        return self._handle if self._core is not None else super().underlying  # type: ignore[misc]

    @property
    def closed(self) -> bool:
        """Whether the context was terminated. While its world is taken down, everything counts as closed, so that
        finalizers leave it alone."""
        core = self._core
        if core is None:
            return super().closed  # type: ignore[misc,no-any-return]
        return self._gone or core.vanished or self.engine.kernel.unwinding

    @closed.setter
    def closed(self, value: bool) -> None:
        """Set by pyzmq."""
        self.__dict__["_gone"] = value
        BackendContext.closed.__set__(self, value)  # type: ignore[attr-defined]

    def term(self) -> None:
        """Close or terminate the context."""
        core = self._core
        if core is None:
            super().term()  # type: ignore[misc]
            return
        if not self.closed and self.engine.resolve(self._handle) is core:
            core.term()
            self.engine.release(self._handle)
            self.engine.forget(core)
        self.closed = True

    def set(self, option: int, optval: Any) -> None:
        """Set a context option."""
        core = self._core
        if core is None:
            super().set(option, optval)  # type: ignore[misc]
            return
        self._check()
        if not isinstance(optval, int):
            raise TypeError(f"expected int, got: {optval!r}")
        core.set(c_int(option), c_int(optval))

    def get(self, option: int) -> int:
        """Get the value of a context option."""
        core = self._core
        if core is None:
            return super().get(option)  # type: ignore[misc,no-any-return]
        self._check()
        return core.get(c_int(option))

    def _check(self) -> None:
        if self.closed:
            raise RuntimeError("Context has been destroyed")


class SimSocket:
    """Stands between `zmq.Socket` and its compiled base."""

    engine: ClassVar[Engine]
    _core: SocketCore | None = None
    _handle: int = 0
    _gone: bool = False

    def __init__(
        self, context: Any = None, socket_type: int = -1, shadow: int = 0, copy_threshold: int | None = None
    ) -> None:
        if current_thread() is None:
            super().__init__(context, socket_type, shadow=shadow, copy_threshold=copy_threshold)  # type: ignore[call-arg]
            return
        core: ContextCore | SocketCore | None
        if shadow:
            core = self.engine.resolve(shadow)
            if not isinstance(core, SocketCore):
                raise failure(errno.ENOTSOCK)
            handle = shadow
        else:
            if context is None:
                raise TypeError("context must be specified")
            if (socket_type := c_int(socket_type)) < 0:
                raise TypeError("socket_type must be specified")
            owner = context._core
            if owner is None:
                raise NotSimulated(f"a {type(context).__qualname__} {_OUTSIDE}")
            if not isinstance(owner, ContextCore) or self.engine.resolve(context._handle) is not owner:
                raise failure(errno.EFAULT)
            core = owner.socket(socket_type)
            handle = self.engine.register(core)
        self.__dict__.update(_core=core, _handle=handle)
        self.context = context
        self.copy_threshold = zmq.COPY_THRESHOLD if copy_threshold is None else copy_threshold

    # -- life ---------------------------------------------------------------------------------------------------------

    @property
    def underlying(self) -> int:
        """The handle of the socket."""
        return self._handle if self._core is not None else super().underlying  # type: ignore[misc]

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        core = self._core
        if core is None:
            return super().closed  # type: ignore[misc,no-any-return]
        return self._gone or core.closed or core.kernel.unwinding

    @property
    def _closed(self) -> bool:
        return self.closed

    def close(self, linger: int | None = None) -> None:
        """Close the socket."""
        core = self._core
        if core is None:
            super().close(linger=linger)  # type: ignore[misc]
            return
        if self._gone:
            return
        if not core.closed:
            if not core.check_closable():
                return
            core.endpoints.close(None if linger is None else c_int(linger))
            self.engine.release(self._handle)
        self.__dict__["_gone"] = True

    def _open_core(self) -> SocketCore:
        core = self._core
        if core is None or self._gone:
            raise failure(errno.ENOTSOCK)
        return core

    # -- options ------------------------------------------------------------------------------------------------------

    def set(self, option: int, optval: Any) -> None:
        """Set socket options."""
        if self._core is None:
            super().set(option, optval)  # type: ignore[misc]
            return
        core = self._open_core()
        if isinstance(optval, str):
            raise TypeError("unicode not allowed, use setsockopt_string")
        if _type_of(option) == _OptType.bytes:
            if not isinstance(optval, bytes):
                raise TypeError(f"expected bytes, got: {optval!r}")
        elif not isinstance(optval, int):
            raise TypeError(f"expected int, got: {optval!r}")
        else:
            optval = c_int(optval) if _type_of(option) != _OptType.int64 else int(optval)
        core.set(c_int(option), optval)

    def get(self, option: int) -> Any:
        """Get the value of a socket option."""
        if self._core is None:
            return super().get(option)  # type: ignore[misc]
        return self._open_core().get(c_int(option))

    # -- addresses ----------------------------------------------------------------------------------------------------

    def bind(self, addr: str | bytes) -> Any:
        """Bind the socket to an address."""
        if self._core is None:
            _stay_outside(self)
            return super().bind(addr)  # type: ignore[misc]
        text = _address(addr)
        core = self._open_core()
        core.enter()
        core.endpoints.bind(text)
        return None

    def connect(self, addr: str | bytes) -> Any:
        """Connect to a remote 0MQ socket."""
        if self._core is None:
            _stay_outside(self)
            return super().connect(addr)  # type: ignore[misc]
        text = _address(addr)
        core = self._open_core()
        core.enter()
        core.endpoints.connect(text)
        return None

    def unbind(self, addr: str | bytes) -> None:
        """Unbind from an address (undoes a call to bind)."""
        if self._core is None:
            super().unbind(addr)  # type: ignore[misc]
            return
        text = _address(addr)
        core = self._open_core()
        core.enter()
        core.endpoints.unbind(text)

    def disconnect(self, addr: str | bytes) -> None:
        """Disconnect from a remote 0MQ socket (undoes a call to connect)."""
        if self._core is None:
            super().disconnect(addr)  # type: ignore[misc]
            return
        text = _address(addr)
        core = self._open_core()
        core.enter()
        core.endpoints.disconnect(text)

    def monitor(self, addr: str | bytes | None, events: int = int(zmq.EVENT_ALL)) -> None:
        """Start publishing socket events on inproc; None stops it."""
        if self._core is None:
            super().monitor(addr, events)  # type: ignore[misc]
            return
        text = None if addr is None else _address(addr)
        core = self._open_core()
        core.enter()
        if text is None:
            core.monitor.stop(by="disable_monitor")
        else:
            core.monitor.start(text, c_int(events))

    def join(self, group: str | bytes) -> None:
        """Join a RADIO-DISH group: a draft, and never built in."""
        if self._core is None:
            super().join(group)  # type: ignore[misc]
            return
        raise RuntimeError("libzmq and pyzmq must be built with draft support")

    def leave(self, group: str | bytes) -> None:
        """Leave a RADIO-DISH group: a draft, and never built in."""
        if self._core is None:
            super().leave(group)  # type: ignore[misc]
            return
        raise RuntimeError("libzmq and pyzmq must be built with draft support")

    # -- messages -----------------------------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0, copy: bool = True, track: bool = False) -> Any:
        """Send a single zmq message frame on this socket."""
        if self._core is None:
            _stay_outside(self)
            return super().send(data, flags=flags, copy=copy, track=track)  # type: ignore[misc]
        core = self._open_core()
        if isinstance(data, bytes) and copy:
            core.send(data, c_int(flags))
            return None
        if isinstance(data, str):
            raise TypeError("unicode not allowed, use send_string")
        if is_frame(data):
            if track and not data.tracker:
                raise ValueError("Not a tracked message")
            core.send(data.bytes, c_int(flags))
            return data.tracker
        core.send(bytes(memoryview(data)), c_int(flags))
        return None if copy else zmq._FINISHED_TRACKER

    def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> Any:
        """Receive a message."""
        if self._core is None:
            _stay_outside(self)
            return super().recv(flags=flags, copy=copy, track=track)  # type: ignore[misc]
        core = self._open_core()
        data = core.recv(c_int(flags))
        return data if copy else received(data, core.more, _properties(core))

    def recv_into(self, buffer: Any, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receive up to nbytes bytes from the socket, storing the data into a buffer."""
        if self._core is None:
            _stay_outside(self)
            return super().recv_into(buffer, nbytes=nbytes, flags=flags)  # type: ignore[misc,no-any-return]
        core = self._open_core()
        if nbytes < 0:
            raise ValueError(f"{nbytes=} must be non-negative")
        view = memoryview(buffer)
        if view.readonly:
            raise BufferError("Object is not writable.")
        view = view.cast("B")
        if nbytes > view.nbytes:
            raise ValueError(f"{nbytes=} too big for memoryview of {view.nbytes}B")
        data = core.recv(c_int(flags))
        taken = data[: nbytes or view.nbytes]
        view[: len(taken)] = taken
        return len(data)


_OUTSIDE = (
    "was made outside of this world: it is real, and nothing inside can reach it, nor wait for it in virtual time. "
    "Make it inside, in a function, say, instead of a module's global"
)


def _stay_outside(socket: Any) -> None:
    """A real socket is for threads of the host.

    :raises NotSimulated: a simulated thread uses it.
    """
    if current_thread() is not None:
        raise NotSimulated(f"a {type(socket).__qualname__} {_OUTSIDE}")


def _type_of(option: int) -> _OptType:
    try:
        return SocketOption(option)._opt_type
    except ValueError:
        return _OptType.int


def _address(addr: Any) -> str:
    if isinstance(addr, str):
        return addr
    if isinstance(addr, bytes):
        return addr.decode("utf-8")
    raise TypeError(f"Expected addr to be str, got addr={addr!r}")


def _properties(core: SocketCore) -> dict[str, str]:
    pipe = core.x_last_pipe()
    if pipe is None or not pipe.address.startswith(("tcp://", "ipc://")):
        return {}
    found = {**pipe.peer_metadata, "Socket-Type": pipe.peer_type}
    if pipe.peer_type in ("REQ", "DEALER", "ROUTER"):  # others do not send theirs
        found["Identity"] = (pipe.peer_id or b"").decode("utf-8", "replace")
    if pipe.address.startswith("tcp://"):
        found["Peer-Address"] = "127.0.0.1"
    return found
