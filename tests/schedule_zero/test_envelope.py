"""Routes and payloads at a ROUTER."""

from __future__ import annotations

import pytest

from schedule_zero.envelope import Parcel, unpack

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([b"id", b"", b"{}"], Parcel([b"id", b""], b"{}")),
        ([b"id", b"hop", b"", b"{}"], Parcel([b"id", b"hop", b""], b"{}")),
        ([b"id", b"", b""], Parcel([b"id", b""], b"")),
        ([b"id", b"{}"], Parcel([b"id"], b"{}", "no empty delimiter frame before the message")),
        ([b"id"], Parcel([b"id"], b"id", "no empty delimiter frame before the message")),
        ([b"id", b""], Parcel([b"id", b""], b"", "expected one frame after the delimiter, found 0")),
        (
            [b"id", b"", b"a", b"b"],
            Parcel([b"id", b""], b"", "expected one frame after the delimiter, found 2"),
        ),
        ([b"", b"", b"{}"], Parcel([b"", b""], b"{}")),
    ],
)
def test_unpack(frames: list[bytes], expected: Parcel) -> None:
    """Any frames give a parcel; what is wrong with them is said, not raised."""
    assert unpack(frames) == expected


def test_a_route_is_no_place_to_leave_a_megabyte() -> None:
    """A hop longer than a routing id can be is a problem, and is not kept for the answer."""
    parcel = unpack([b"peer", b"h" * 256, b"", b"{}"])
    assert (parcel.route, parcel.payload) == ([b"peer"], b"")
    assert parcel.problem == "a routing id has at most 255 bytes"
    assert unpack([b"peer", b"h" * 255, b"", b"{}"]).problem == ""
