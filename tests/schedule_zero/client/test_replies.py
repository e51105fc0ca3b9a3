"""Answers that are late, repeated, somebody else's, or make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schedule_zero.errors import CallTimeout, ProtocolError, RemoteError
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


def first_then_echo(first: Callable[..., None]) -> Callable[..., None]:
    """`first` for the first request, the well-behaved answer from then on."""

    def respond(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        if len(peer.requests) == 1:
            first(peer, route, request)
        else:
            peer.answer(route, request)

    return respond


def test_late_answer_is_not_taken_for_anothers(start_peer: Any) -> None:
    """An answer that arrives after its call has timed out is never the answer to the next call."""
    late: list[tuple[list[bytes], dict[str, Any]]] = []

    def respond(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        if not late:
            late.append((route, request))
            return
        peer.answer(*late[0])
        peer.answer(route, request)

    peer = start_peer(respond)
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", {"n": "first"}, timeout=100)

        assert client.call("echo", {"n": "second"}) == {"n": "second"}


def test_duplicate_answer_is_not_taken_for_anothers(start_peer: Any) -> None:
    """A second copy of an answer, sent on the same connection, does not become the answer to the next call."""

    def twice(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        peer.answer(route, request)
        peer.answer(route, request)

    peer = start_peer(twice)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert [client.call("echo", {"n": n})["n"] for n in range(20)] == list(range(20))


def test_answer_to_another_request_is_dropped(start_peer: Any) -> None:
    """An answer that names another request is dropped, and the question asked again under the same id."""
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.answer(route, request, request_id="other"))
    )
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}, request_id="r-1") == {"n": 1}
        assert client.stats.stray_replies == 1
    assert peer.ids() == ["r-1", "r-1"]


def test_only_answers_to_other_requests(start_peer: Any) -> None:
    """A peer that never names the right request is given up as confused, long before the time-out."""
    peer = start_peer(lambda peer, route, request: peer.answer(route, request, request_id="other"))
    with (
        ZMQClient(peer.address, timeout=30_000) as client,
        pytest.raises(ProtocolError, match="8 answers, all to other requests"),
    ):
        client.call("echo")


def test_peer_that_knows_no_request_ids(start_peer: Any) -> None:
    """A reply without a request id is accepted: older peers send none."""
    peer = start_peer(lambda peer, route, request: peer.send(route, b'{"success": true, "result": 5}'))
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo") == 5


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"\xff\xfe", "not a reply"),
        (b"[1, 2]", "Expected `object`"),
        (b'{"result": 1}', "`success` must be true or false, found None"),
        (b'{"success": "yes"}', "found 'yes'"),
        (b'{"success": false, "error": 5}', "`error` must be text"),
        (b'{"success": true, "result": ' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper than 64"),
    ],
    ids=["not-json", "array", "no-success", "success-text", "error-number", "too-deep"],
)
def test_malformed_answer(start_peer: Any, payload: bytes, complaint: str) -> None:
    """A reply that makes no sense is a ProtocolError that says why, and the next call works on the same
    socket.
    """
    peer = start_peer(first_then_echo(lambda peer, route, request: peer.send(route, payload)))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(ProtocolError, match=complaint):
            client.call("echo")

        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert client.stats.recreated == 0
        assert client.stats.protocol_errors == 1


def test_answer_without_delimiter(start_peer: Any) -> None:
    """libzmq drops a reply without the empty frame, so the call times out; the next one is answered."""
    peer = start_peer(first_then_echo(lambda peer, route, request: peer.send(route[:1], b'{"success": true}')))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", timeout=150)

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_answer_in_several_frames(start_peer: Any) -> None:
    """Frames behind the reply put the REQ into a wrong state, which the next call gets out of."""
    payload = b'{"success": true, "result": 1}'
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.send(route, payload, b"more", b"and more"))
    )
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo") == 1

        assert client.call("echo", {"n": 2}) == {"n": 2}
        assert client.stats.efsm_recoveries == 1


def test_answer_that_is_too_large(start_peer: Any) -> None:
    """A reply above the limit is refused by libzmq, so the call times out; the next one is answered."""
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.send(route, b" " * (8 * 1024 * 1024 + 1)))
    )
    with ZMQClient(peer.address, timeout=10_000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", timeout=500)

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_error_answer_is_no_failure_of_the_transport(start_peer: Any) -> None:
    """A handler's error reaches the caller with its code, and costs no socket."""
    answer = b'{"success": false, "error": "out of paper", "code": "paper"}'
    peer = start_peer(lambda peer, route, request: peer.send(route, answer))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(RemoteError, match="out of paper") as caught:
            client.call("print")
        assert caught.value.code == "paper"
        assert client.stats.recreated == 0
