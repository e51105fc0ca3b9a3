"""The genuine calls that lead a REQ or REP socket into EFSM, made on the socket itself (libzmq 4.3, pyzmq 27).

Each function works on the synchronous shadow of the socket, so that sockets of `zmq.asyncio` are served too,
and never blocks: what would block is an error that says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from harness.errors import FaultError
from harness.faults.efsm import explain_efsm

PROBE = b'{"method": "ping", "params": {}}'
"""What is sent: a request that every peer of this wire answers and that changes nothing."""

ANSWER_WITHIN = 2.0
"""Seconds to wait, when healing, for the answer that was left."""


def double_send(socket: zmq.Socket[Any], name: str) -> dict[str, Any]:
    """REQ: send, send again; the second one is refused, as is every further one until the answer is read."""
    sync: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
    _send(sync, name)
    _refused(lambda: sync.send(PROBE, zmq.NOBLOCK), sync, name, "a second send (REQ_RELAXED is set?)")
    return {"error": explain_efsm(zmq.REQ)}


def recv_first(socket: zmq.Socket[Any], name: str) -> dict[str, Any]:
    """REQ: receive before a send; refused, and the socket can send afterwards as if nothing had been."""
    sync: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
    _refused(lambda: sync.recv(zmq.NOBLOCK), sync, name, "a receive before any send (a request is under way?)")
    return {"error": explain_efsm(zmq.REQ)}


def abandon_reply(socket: zmq.Socket[Any], name: str) -> dict[str, Any]:
    """REQ: send, and leave the answer alone: the next send of the code under test is refused."""
    sync: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
    _send(sync, name)
    if _writable(sync):
        raise FaultError(
            f"{name} would send again without having read the answer: REQ_RELAXED is set, it cannot reach "
            f"EFSM this way"
        )
    return {"next": explain_efsm(zmq.REQ)}


def send_first(socket: zmq.Socket[Any], name: str) -> dict[str, Any]:
    """REP: send before a request has come; refused, and the socket goes on receiving as before."""
    sync: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
    _refused(
        lambda: sync.send(PROBE, zmq.NOBLOCK), sync, name, "a send before any request (one has been received?)"
    )
    return {"error": explain_efsm(zmq.REP)}


def leave(socket: zmq.Socket[Any], name: str) -> dict[str, Any]:
    """Make a REQ able to send again by reading the answer that was left; a closed socket, or a REP, needs
    nothing.

    Raises `FaultError` when no answer comes: then nothing but a new socket helps, which is what the code under
    test must do.
    """
    if socket.closed:
        return {"gone": True}
    sync: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
    if sync.type != zmq.REQ or _writable(sync):
        return {}
    if _refuses_recv(sync):
        return {}  # no request is under way: it is not writable only because it has no peer
    if not sync.poll(int(ANSWER_WITHIN * 1000), zmq.POLLIN):
        raise FaultError(
            f"{name}: no answer came within {ANSWER_WITHIN:g} s, so it stays as it is. {explain_efsm(zmq.REQ)}"
        )
    return {"read": len(sync.recv_multipart(zmq.NOBLOCK))}


def _send(sync: zmq.Socket[bytes], name: str) -> None:
    try:
        sync.send(PROBE, zmq.NOBLOCK)
    except zmq.Again:
        raise FaultError(f"{name}: nothing can be sent, it is connected to nobody; connect it first") from None
    except zmq.ZMQError as error:
        if error.errno != zmq.EFSM:
            raise FaultError(f"{name}: {error}") from error
        raise FaultError(f"{name} is there already: it waits for an answer. {explain_efsm(zmq.REQ)}") from error


def _refused(call: Callable[[], object], sync: zmq.Socket[bytes], name: str, what: str) -> None:
    """Make a call that must end with EFSM; raises `FaultError` when it does not."""
    try:
        call()
    except zmq.ZMQError as error:
        if error.errno == zmq.EFSM:
            return
        raise FaultError(f"{name}: expected EFSM for {what}, got: {error}") from error
    raise FaultError(f"{name}: expected EFSM for {what}, but it was accepted")


def _writable(sync: zmq.Socket[bytes]) -> bool:
    return bool(int(sync.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)


def _refuses_recv(sync: zmq.Socket[bytes]) -> bool:
    """Whether no request is under way any more, by a receive that does not wait."""
    if sync.poll(0, zmq.POLLIN):
        return False
    try:
        sync.recv(zmq.NOBLOCK)
    except zmq.ZMQError as error:
        return error.errno == zmq.EFSM
    return True  # the answer came in this very moment, and has been read
