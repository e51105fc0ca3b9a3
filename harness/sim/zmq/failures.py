"""Errors as pyzmq raises them."""

from __future__ import annotations

import errno

import zmq


def failure(code: int, message: str | None = None) -> zmq.ZMQError:
    """The exception of an errno: `zmq.Again`, `zmq.ContextTerminated`, else `zmq.ZMQError`.

    >>> failure(zmq.EFSM)
    ZMQError('Operation cannot be accomplished in current state')
    """
    if code == errno.EAGAIN:
        return zmq.Again()
    if code == zmq.ETERM:
        return zmq.ContextTerminated()
    return zmq.ZMQError(int(code), message)
