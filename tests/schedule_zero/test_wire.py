"""Requests and replies as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero import wire
from schedule_zero.errors import ProtocolError
from schedule_zero.wire import ErrorCode, Reply, Request

pytestmark = pytest.mark.unit

POSSIBLE = [(request, reply) for request in (Request, ProtocolError) for reply in (Reply, ProtocolError)]
"""What bytes may be taken for as a request, as a reply."""

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.text(min_size=1), st.dictionaries(st.text(), values, max_size=4), st.none() | st.text(max_size=200))
def test_request_round_trip(method: str, params: dict[str, object], request_id: str | None) -> None:
    """What is encoded as a request is decoded as the same request, and is plain JSON to anybody else."""
    data = wire.encode_request(method, params, request_id)
    assert wire.decode_request(data) == Request(method, params, request_id)
    assert json.loads(data)["params"] == params


@given(values, st.none() | st.text())
def test_reply_round_trip(result: object, request_id: str | None) -> None:
    """What is encoded as a reply is decoded as the same reply."""
    reply = Reply(True, result, request_id=request_id)
    assert wire.decode_reply(wire.encode_reply(reply)) == reply


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    """Bytes from anybody end in a message or in a ProtocolError, never in anything else."""
    assert (_kind(wire.decode_request, data), _kind(wire.decode_reply, data)) in POSSIBLE
    assert isinstance(wire.find_request_id(data), str | None)


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b'{"method":"m"}', (Request, ProtocolError)),
        (b'{"success":true}', (ProtocolError, Reply)),
        (b"\xff", (ProtocolError, ProtocolError)),
    ],
)
def test_bytes_are_what_they_say(data: bytes, kinds: tuple[type, type]) -> None:
    """A request is no reply, a reply is no request, and garbage is neither."""
    assert (_kind(wire.decode_request, data), _kind(wire.decode_reply, data)) == kinds


def _kind(decode: Callable[[bytes], object], data: bytes) -> type:
    try:
        return type(decode(data))
    except ProtocolError:
        return ProtocolError


def test_extra_fields_of_a_reply_are_kept() -> None:
    """A pong carries fields of its own."""
    reply = wire.decode_reply(b'{"success": true, "message": "pong", "handler_id": "h1", "request_id": "r"}')
    assert reply == Reply(True, request_id="r", extra={"message": "pong", "handler_id": "h1"})


def test_a_reply_may_have_a_field_that_is_called_extra() -> None:
    """Our own name for the further fields means nothing on the wire."""
    reply = wire.decode_reply(b'{"success":false,"error":"x","code":null,"extra":{"a":1}}')
    assert reply == Reply(False, error="x", extra={"extra": {"a": 1}})


def test_request_with_the_least_fields() -> None:
    """Peers that send no params or null, no request id, or fields of their own are understood."""
    assert wire.decode_request(b'{"method": "ping"}') == Request("ping", {}, None)
    assert wire.decode_request(b'{"method": "ping", "params": null, "ttl": 3}') == Request("ping", {}, None)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a request"),
        (b"{", "not a request"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `method`"),
        (b'{"method": ""}', "`method` is empty"),
        (b'{"method": 5}', r"Expected `str`, got `int` - at `\$.method`"),
        (b'{"method": "m", "params": []}', r"got `array` - at `\$.params`"),
        (b'{"method": "m", "request_id": 5}', r"got `int` - at `\$.request_id`"),
        (b'{"method": "m", "params": {"a": ' + b"[" * 64 + b"]" * 64 + b"}}", "deeper than 64 levels"),
        (b'{"method": "m", "params": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "not a request"),
    ],
)
def test_malformed_request(data: bytes, complaint: str) -> None:
    """A request that makes no sense is refused with the field and the reason."""
    with pytest.raises(ProtocolError, match=complaint):
        wire.decode_request(data)


def test_depth_that_is_allowed() -> None:
    """62 arrays in the params' object are within the limit, and wide is not deep."""
    deep = b'{"method": "m", "params": {"a": ' + b"[" * 62 + b"]" * 62 + b"}}"
    wide = json.dumps({"method": "m", "params": {"a": [[]] * 1000}}).encode()
    assert wire.decode_request(deep).method == "m"
    assert len((wire.decode_request(wide).params or {})["a"]) == 1000


def test_what_json_cannot_hold_is_refused() -> None:
    """Parameters and results that are no JSON, or too large, are a ProtocolError that says so."""
    with pytest.raises(ProtocolError, match=r"request cannot be written as JSON: .*complex"):
        wire.encode_request("m", {"z": 1j})
    with pytest.raises(ProtocolError, match="reply cannot be written as JSON"):
        wire.encode_reply(Reply(True, object()))
    with pytest.raises(ProtocolError, match="request of 135 bytes is larger than the limit of 100 bytes"):
        wire.encode_request("m", {"text": "x" * 100}, limit=100)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "params holds nan, which JSON cannot say"),
        ([float("-inf")], "params holds -inf, which JSON cannot say"),
        ({"b": b"x"}, "params holds a bytes, which JSON cannot say"),
        ({1: 2}, "params holds the key 1, and keys of JSON are text"),
    ],
)
def test_what_the_encoder_would_change_is_refused_in_parameters(value: Any, says: str) -> None:
    """As in results: the method would get null, base64 or another key."""
    with pytest.raises(ProtocolError) as caught:
        wire.encode_request("m", {"value": value})
    assert str(caught.value) == says


@pytest.mark.parametrize("innermost", [[], {}, ()])
def test_what_the_other_side_would_refuse_for_its_depth_is_not_sent(innermost: Any) -> None:
    """64 levels arrive, of parameters and of a result; 65 are refused here, where it can be told whose fault it is."""
    allowed: Any = innermost
    for _ in range(63):
        allowed = [allowed]

    wire.require_json(allowed, "result")
    assert wire.decode_reply(wire.encode_reply(Reply(True, allowed))).success
    with pytest.raises(ProtocolError, match="result is nested deeper than 64 levels"):
        wire.require_json([allowed], "result")
    with pytest.raises(ProtocolError, match="message is nested deeper than 64 levels"):
        wire.decode_reply(wire.encode_reply(Reply(True, [allowed])))
    assert wire.decode_request(wire.encode_request("m", {"value": allowed[0]})).method == "m"
    with pytest.raises(ProtocolError, match="params is nested deeper than 64 levels"):
        wire.encode_request("m", {"value": allowed})


def test_parameters_that_hold_themselves_are_refused() -> None:
    """They have no end, and are not looked for one."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ProtocolError, match="request cannot be written as JSON"):
        wire.encode_request("m", {"value": value})


def test_failure_reply_on_the_wire() -> None:
    """A failure carries error, code and request id, and no result."""
    data = wire.encode_reply(wire.failure("no such method", ErrorCode.UNKNOWN_METHOD, "r-1"))
    assert json.loads(data) == {
        "success": False,
        "error": "no such method",
        "code": "unknown_method",
        "request_id": "r-1",
    }


def test_request_id_of_a_malformed_request() -> None:
    """The error reply can name the request when its id can be read, though the rest is wrong."""
    assert wire.find_request_id(b'{"method": 5, "request_id": "r-1"}') == "r-1"
    assert wire.find_request_id(b'{"request_id": 5}') is None
    assert wire.find_request_id(b"{") is None


def test_a_request_id_has_a_length() -> None:
    """200 characters are sent and taken, 201 neither; a reply to them names no id."""
    fits, long = "r" * 200, "r" * 201
    assert wire.decode_request(wire.encode_request("m", None, fits)).request_id == fits
    with pytest.raises(ProtocolError, match="at most 200 characters, found 201"):
        wire.encode_request("m", None, long)
    data = json.dumps({"method": "m", "request_id": long}).encode()
    with pytest.raises(ProtocolError, match="length <= 200"):
        wire.decode_request(data)
    assert wire.find_request_id(data) is None


def test_the_incarnation_comes_along_where_it_is_told() -> None:
    """A reply that names its start of the handler is read as it was sent; a ping's answer keeps it among the rest."""
    told = Reply(True, 1, request_id="r", incarnation="a")
    assert wire.decode_reply(wire.encode_reply(told)) == told
    assert wire.decode_reply(wire.encode_reply(Reply(True, 1))).incarnation is None
    ping = wire.decode_reply(b'{"success": true, "message": "pong", "incarnation": "a"}')
    assert (ping.incarnation, ping.extra["incarnation"]) == ("a", "a")
    assert wire.decode_reply(b'{"success": true, "incarnation": 5}').incarnation is None
