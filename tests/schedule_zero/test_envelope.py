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
