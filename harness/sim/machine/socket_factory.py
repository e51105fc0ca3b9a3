"""The socket class of one world, which stands for ``socket.socket``."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.sim.machine.descriptors import failure
from harness.sim.machine.sockets import SimSocket, SocketKind

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine


def socket_class(machine: Machine) -> type[SimSocket]:
    """What stands for ``socket.socket`` in one world."""
    made: Any = SocketKind("socket", (SimSocket,), {"machine": machine, "stands_for_all": True, "__module__": "socket"})
    return made  # type: ignore[no-any-return]


def socket_pair(machine: Machine, made: type[SimSocket]) -> Callable[..., tuple[SimSocket, SimSocket]]:
    """What stands for ``socket.socketpair`` in one world."""

    def socketpair(
        family: int | None = None, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> tuple[SimSocket, SimSocket]:
        if family not in (None, socket.AF_UNIX):
            raise failure(errno.EOPNOTSUPP)
        one, other = made(socket.AF_UNIX, type, proto), made(socket.AF_UNIX, type, proto)
        machine.network.pair_up(one._endpoint, other._endpoint)
        return one, other

    return socketpair
