"""A context: the sockets of one program, and how they all come to an end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, TypeVar

import zmq

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.waiting import WaitQueue
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.dealer import DealerCore
from harness.sim.zmq.endpoints import Endpoints
from harness.sim.zmq.failures import failure
from harness.sim.zmq.pair import PairCore
from harness.sim.zmq.publisher import PubCore, XPubCore
from harness.sim.zmq.push_pull import PullCore, PushCore
from harness.sim.zmq.rep import RepCore
from harness.sim.zmq.req import ReqCore
from harness.sim.zmq.router import RouterCore
from harness.sim.zmq.speaker import SpeakerCore
from harness.sim.zmq.subscriber import SubCore, XSubCore

if TYPE_CHECKING:
    from harness.sim.process import SimProcess
    from harness.sim.zmq.engine import Engine
    from harness.sim.zmq.options import Options

_Core = TypeVar("_Core", bound=SocketCore)

_PATTERNS: Final[tuple[type[SocketCore], ...]] = (
    PairCore, PubCore, SubCore, ReqCore, RepCore, DealerCore, RouterCore, PullCore, PushCore, XPubCore, XSubCore,
)  # fmt: skip
CORES: Final = {core.kind: core for core in _PATTERNS}
_FIXED: Final = {int(zmq.SOCKET_LIMIT): 65_535, int(zmq.MSG_T_SIZE): 64, int(zmq.THREAD_SCHED_POLICY): -1}


class ContextCore:
    """One context.

    :ivar sockets: that are open.
    :ivar lingering: connections of closed sockets that still have something to send.
    """

    def __init__(self, engine: Engine, process: SimProcess, number: int) -> None:
        self.engine = engine
        self.process = process
        self.number = number
        self.sockets: dict[SocketCore, None] = {}
        self.lingering: dict[object, None] = {}
        self.inproc: dict[str, tuple[Endpoints, Options]] = {}
        """Who is bound to a name, with its options of that moment."""
        self.inproc_waiting: dict[str, list[tuple[Endpoints, object, Options]]] = {}
        self.terminating = False
        self.vanished = False
        self.options = {
            int(zmq.IO_THREADS): 1,
            int(zmq.MAX_SOCKETS): 1023,
            int(zmq.IPV6): 0,
            int(zmq.BLOCKY): 1,
            int(zmq.MAX_MSGSZ): 2**31 - 1,
            int(zmq.THREAD_PRIORITY): 65_535,
            int(zmq.THREAD_NAME_PREFIX): 0,
        }
        self._limit: int | None = None
        self._emptied = WaitQueue(engine.kernel, f"the end of ZeroMQ context {number} of {process.name}")

    @property
    def blocky(self) -> bool:
        """New sockets linger for ever by default."""
        return bool(self.options[int(zmq.BLOCKY)])

    def get(self, option: int) -> int:
        """A context option. Raises ZMQError (EINVAL)."""
        if option in _FIXED:
            return _FIXED[option]
        if option not in self.options:
            raise failure(errno.EINVAL)
        return self.options[option]

    def set(self, option: int, value: int) -> None:
        """Change a context option. Raises ZMQError (EINVAL)."""
        if option not in self.options or value < (1 if option == zmq.MAX_SOCKETS else 0):
            raise failure(errno.EINVAL)
        self.options[option] = value

    def socket(self, kind: int) -> SocketCore:
        """Open a socket. Raises ZMQError (EINVAL, EMFILE, ETERM), NotSimulated."""
        if self.terminating:
            raise failure(zmq.ETERM)
        if kind not in CORES:
            if kind in (int(zmq.STREAM), *(int(other) for other in zmq.SocketType if other > zmq.STREAM)):
                raise NotSimulated(f"a {zmq.SocketType(kind).name} socket is not simulated: use the ZMTP patterns")
            raise failure(errno.EINVAL)
        if self._limit is None:
            self._limit = self.options[int(zmq.MAX_SOCKETS)]
        if len(self.sockets) >= self._limit:
            raise failure(errno.EMFILE)
        core = self._make(CORES[kind])
        self.sockets[core] = None
        return core

    def speaker(self) -> SpeakerCore:
        """The socket of a monitor: it does not count."""
        return self._make(SpeakerCore)

    def _make(self, kind: type[_Core]) -> _Core:
        core = kind(self, self.engine.number(self.process))
        core.endpoints = Endpoints(core)
        return core

    def closed(self, core: SocketCore) -> None:
        """A socket was closed."""
        self.sockets.pop(core, None)
        self.check_end()

    def check_end(self) -> None:
        """Something has ended: perhaps everything has."""
        if self.terminating and not self.sockets and not self.lingering:
            self._emptied.notify_all()

    def term(self) -> None:
        """Wake all that wait, with ETERM; then wait until all sockets are closed and nothing lingers."""
        self.terminating = True
        for core in list(self.sockets):
            core.monitor.stop()
            core.signal()
        while self.sockets or self.lingering:
            names = ", ".join(str(core) for core in self.sockets) or "what lingers in closed sockets"
            self._emptied.what = f"context.term() of {self.process.name}, for {names}"
            if current_thread() is None or self.engine.kernel.current is None:
                return
            self._emptied.wait()
        self.inproc.clear()

    def vanish(self) -> None:
        """The process is dead: no lingering, no farewell."""
        self.terminating = self.vanished = True
        for core in list(self.sockets):
            core.endpoints.close(0)
        for session in list(self.lingering):
            session.abort()  # type: ignore[attr-defined]
        self.sockets.clear()
