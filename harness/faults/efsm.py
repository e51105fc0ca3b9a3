"""What EFSM means, in words: the error that most users of REQ and REP sockets meet and do not understand
(pyzmq#1741).
"""

from __future__ import annotations

import zmq

_RULES: dict[int, str] = {
    zmq.REQ: (
        "A REQ socket must send, then receive, in strict turns. A reply that never came, or whose receive "
        "timed out or was cancelled, "
        "leaves it waiting: every further send is refused, for ever, although the peer may be well again. "
        "Only reading that reply, or "
        "closing the socket (LINGER=0) and opening a new one, gets out of it."
    ),
    zmq.REP: (
        "A REP socket must receive, then send, in strict turns. Before a request has come, or after its "
        "answer has been sent, it has "
        "nobody to send to."
    ),
}


def explain_efsm(socket_type: int) -> str:
    """Why a socket of this type refuses a call with EFSM, and what gets it out.

    >>> explain_efsm(zmq.REP)[:52]
    "EFSM, 'Operation cannot be accomplished in current s"
    """
    rule = _RULES.get(socket_type, "The socket's type allows this call in another state only.")
    return f"EFSM, {zmq.strerror(zmq.EFSM)!r}: {rule}"
