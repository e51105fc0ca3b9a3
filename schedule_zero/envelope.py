"""The frames around a message at a ROUTER socket: who asked, and the empty frame a REQ socket puts before its
text.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_MAX_HOPS: Final = 16
_LONGEST_HOP: Final = 255
"""Bytes of a routing id (ZMTP). Routes are kept while calls run, so no more is kept of what a peer made up."""


class Parcel(NamedTuple):
    """One message as a ROUTER received it.

    `route` is what has to precede the answer; `problem` says why the frames are no message, and is empty when
    they are.
    """

    route: list[bytes]
    payload: bytes
    problem: str = ""


def unpack(frames: list[bytes]) -> Parcel:
    """Tell route and payload apart. Never raises: a peer may send any frames it likes.

    A peer that sent no delimiter is answered without one, as it cannot be a REQ socket.

    Example:
        >>> unpack([b"peer", b"", b"{}"])
        Parcel(route=[b'peer', b''], payload=b'{}', problem='')
        >>> unpack([b"peer", b"{}"]).problem
        'no empty delimiter frame before the message'
    """
    try:
        delimiter = frames.index(b"", 1, _MAX_HOPS + 1)
    except ValueError:
        return Parcel(frames[:1], frames[-1], "no empty delimiter frame before the message")
    route = frames[: delimiter + 1]
    if any(len(hop) > _LONGEST_HOP for hop in route):
        return Parcel(frames[:1], b"", f"a routing id has at most {_LONGEST_HOP} bytes")
    if len(frames) != delimiter + 2:
        found = len(frames) - delimiter - 1
        return Parcel(route, b"", f"expected one frame after the delimiter, found {found}")
    return Parcel(route, frames[-1])
