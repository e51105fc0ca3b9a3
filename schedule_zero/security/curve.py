"""Both ends of a connection under CURVE: what is set on the socket that connects, and on the one that listens.

Who connects shows its own key and expects one particular key of the listener; who listens has a
:class:`~schedule_zero.security.zap.Zap` that knows which keys may come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import zmq

from schedule_zero.security.key_files import KeyPair
from schedule_zero.security.zap import DOMAIN

__all__ = ["Curve", "HandlerKeys", "protect"]


@dataclass(frozen=True)
class Curve:
    """What a client needs: its own pair, and the public key of who it wants to talk to.

    Example::

        ZMQClient("tcp://192.0.2.7:4242", secure=Curve(read_pair(folder, "mail-1"), read_public(folder, "server")))
    """

    own: KeyPair
    peer: str

    def apply(self, socket: zmq.Socket[Any]) -> None:
        """Set the keys on a socket that has not connected yet."""
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.own.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.own.secret.encode())
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.peer.encode())


@dataclass(frozen=True)
class HandlerKeys:
    """What a handler needs: its own pair, and the public key of the one server that may call it."""

    own: KeyPair
    server: str

    @property
    def registration(self) -> Curve:
        """For the handler as a client of the registration server."""
        return Curve(self.own, self.server)

    def accepts(self, public: str) -> bool:
        """Whether a caller with this key is let in: the server, and nobody else."""
        return public == self.server


def protect(socket: zmq.Socket[Any], own: KeyPair) -> None:
    """Make a socket that is not bound yet take CURVE peers only, and only those that a `Zap` lets in."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, own.secret.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, own.public.encode())
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    # Without this one, libzmq lets everybody in as soon as the ZAP handler is gone.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
