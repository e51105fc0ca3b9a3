"""MockHandler is a real peer: judged by what goes over the wire."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import psutil
import pytest
import zmq

from harness.errors import HarnessError
from harness.mocks import behaviours as b
from harness.mocks.calls import WaitedInVain
from harness.mocks.mock_handler import MockHandler

pytestmark = [pytest.mark.zmq, pytest.mark.integration]


def test_it_echoes_and_records(caller: Any) -> None:
    """The reply carries the parameters and the request's id; the call is recorded with id, method, params
    and times.
    """
    begin = time.monotonic()
    with MockHandler() as handler:
        reply = caller.call(handler.address, "work", {"n": 7}, request_id="r-42")
        [call] = handler.wait_for_replies(1)

    assert reply == {"success": True, "result": {"n": 7}, "request_id": "r-42"}
    assert (call.request_id, call.method, call.params, call.number, call.replies) == (
        "r-42",
        "work",
        {"n": 7},
        1,
        1,
    )
    assert call.replied is not None
    assert begin <= call.received <= call.replied <= time.monotonic()


def test_a_peer_without_request_ids_gets_none_back(caller: Any) -> None:
    """Old peers know no `request_id`; the reply then has none."""
    with MockHandler() as handler:
        assert caller.call(handler.address, request_id=None) == {"success": True, "result": {"n": 1}}


@pytest.mark.parametrize("kind", ["router", "rep"])
def test_ping_is_answered_with_the_handlers_name(caller: Any, kind: str) -> None:
    """`ping` has the documented form and is no call."""
    with MockHandler("h7", kind=kind) as handler:
        reply = caller.call(handler.address, "ping")

        assert reply == {"success": True, "message": "pong", "handler_id": "h7", "request_id": "r-1"}
        assert (handler.calls, handler.pings) == ((), 1)


def test_silence_leaves_calls_alone_and_still_answers_ping(caller: Any) -> None:
    """A hung handler: no answer to a call, an answer to a ping; `ping=False` is a frozen one."""
    with MockHandler(behaviour=b.Silent()) as handler:
        assert caller.call(handler.address, timeout=0.2) is None
        assert caller.call(handler.address, "ping")["message"] == "pong"
        handler.behave(b.Silent(ping=False))
        assert caller.call(handler.address, "ping", timeout=0.2) is None
        assert [call.replied for call in handler.calls] == [None]


def test_slow_answers_late_and_others_meanwhile(caller: Any, make_request: Any, receive_from: Any) -> None:
    """A slow call does not delay the next: the ROUTER answers each when it is due."""
    script = b.Script((b.When(b.Slow(b.Constant(0.3)), last=1),))
    with MockHandler(behaviour=script) as handler:
        slow = caller.socket(zmq.REQ, handler.address)
        begin = time.monotonic()
        slow.send(make_request())
        handler.wait_for_calls(1)
        assert caller.call(handler.address) is not None
        quick = time.monotonic() - begin
        assert receive_from(slow) is not None
        assert quick < 0.3 <= time.monotonic() - begin


@pytest.mark.parametrize(
    ("variant", "found"),
    [
        (b.Garbage.NOT_JSON, b"<html>502 Bad Gateway</html>"),
        (b.Garbage.TRUNCATED, b'{"success": true, "result": {"n": '),
        (b.Garbage.EMPTY, b""),
        (b.Garbage.INVALID_UTF8, b'{"success": true, "result": "\xff\xfe"}'),
    ],
)
def test_malformed_bodies_arrive_as_they_are(
    caller: Any, make_request: Any, variant: b.Garbage, found: bytes
) -> None:
    """What is not JSON reaches the caller byte for byte."""
    with MockHandler(behaviour=b.Malformed(variant)) as handler:
        assert caller.raw(handler.address, make_request()) == found


def test_a_reply_without_delimiter_never_reaches_a_req(
    caller: Any, make_request: Any, receive_from: Any
) -> None:
    """libzmq drops it at a REQ without a word; a DEALER sees the bare body. So it was sent, and is
    malformed.
    """
    with MockHandler(behaviour=b.Malformed(b.Garbage.NO_DELIMITER)) as handler:
        assert caller.call(handler.address, timeout=0.3) is None
        dealer = caller.socket(zmq.DEALER, handler.address)
        dealer.send_multipart([b"", make_request()])
        assert json.loads(receive_from(dealer))["result"] == {"n": 1}
        assert not dealer.getsockopt(zmq.RCVMORE)
        assert [call.replies for call in handler.wait_for_replies(2)] == [1, 1]


def test_an_extra_frame_follows_the_body(caller: Any, make_request: Any) -> None:
    """The surplus frame is really there."""
    with MockHandler(behaviour=b.Malformed(b.Garbage.EXTRA_FRAME)) as handler:
        req = caller.socket(zmq.REQ, handler.address)
        req.send(make_request())
        assert req.poll(5000)
        assert len(req.recv_multipart()) == 2


def test_wrong_schema_and_oversize(caller: Any, make_request: Any) -> None:
    """Valid JSON that is no reply, and a reply of more than a megabyte."""
    with MockHandler(behaviour=b.WrongSchema(b.Schema.WRONG_ID)) as handler:
        assert caller.call(handler.address)["request_id"] == "nobody-asked-this"
        handler.behave(b.WrongSchema(b.Schema.ARRAY))
        assert caller.raw(handler.address, make_request()) == b'[true,"result"]'
        handler.behave(b.Oversize(1_000_000))
        assert len(caller.raw(handler.address, make_request())) > 1_000_000


def test_duplicate_replies_are_really_sent(caller: Any, make_request: Any, receive_from: Any) -> None:
    """A DEALER gets the same answer three times; a REQ would be given only the first."""
    with MockHandler(behaviour=b.DuplicateReply(times=3)) as handler:
        dealer = caller.socket(zmq.DEALER, handler.address)
        dealer.send_multipart([b"", make_request()])
        assert handler.wait_for_replies(3)[0].replies == 3
        got = []
        for _ in range(3):
            assert receive_from(dealer) == b""
            got.append(dealer.recv())

    assert got == [b'{"success":true,"result":{"n":1},"request_id":"r-1"}'] * 3


def test_a_held_reply_goes_to_whoever_asks_next(caller: Any) -> None:
    """The next REQ gets the answer to the dead request in place of its own: who looks at no id mixes them
    up.
    """
    script = b.Script((b.When(b.Late(), last=1),))
    with MockHandler(behaviour=script) as handler:
        assert caller.call(handler.address, params={"n": 1}, request_id="dead", timeout=0.2) is None
        reply = caller.call(handler.address, params={"n": 2}, request_id="alive")

    assert reply == {"success": True, "result": {"n": 1}, "request_id": "dead"}


def test_a_reply_that_is_late_by_a_time_comes_after_it(
    caller: Any, make_request: Any, receive_from: Any
) -> None:
    """``Late(by=0.3)``: nothing before, the answer after."""
    with MockHandler(behaviour=b.Late(by=0.3)) as handler:
        req = caller.socket(zmq.REQ, handler.address)
        begin = time.monotonic()
        req.send(make_request())
        assert receive_from(req) is not None
        assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize(
    ("moment", "answered"), [(b.Moment.BEFORE, False), (b.Moment.DURING, False), (b.Moment.AFTER, True)]
)
@pytest.mark.parametrize("kind", ["router", "rep"])
def test_death_over_a_call(caller: Any, kind: str, moment: b.Moment, answered: bool) -> None:
    """It dies at the stated moment, nobody listens any more, and `revive` brings back the same address."""
    with MockHandler(behaviour=b.Die(moment), kind=kind) as handler:
        address = handler.address
        assert (caller.call(address, timeout=5.0 if answered else 0.3) is not None) is answered
        handler.wait_for_death()
        assert not handler.alive or _dies(handler)
        assert caller.call(address, "ping", timeout=0.2) is None
        handler.behave(b.Echo())
        handler.revive()
        assert handler.address == address
        assert caller.call(address, request_id="again") is not None


def _dies(handler: MockHandler) -> bool:
    deadline = time.monotonic() + 5
    while handler.alive and time.monotonic() < deadline:
        time.sleep(0.005)
    return not handler.alive


def test_die_and_revive_many_times_on_one_port(caller: Any) -> None:
    """Twenty deaths, one port, an answer after each revival."""
    with MockHandler() as handler:
        address = handler.address
        for number in range(20):
            handler.die()
            handler.revive()
            assert handler.address == address
            assert caller.call(address, request_id=f"r-{number}") is not None


def test_a_script_counts_calls_from_behave(caller: Any) -> None:
    """Calls 1 and 2 of `a` fail, whatever else is called; after `behave` the count begins again."""
    script = b.Script((b.When(b.Error("no", "busy"), last=2, method="a"),))
    with MockHandler(behaviour=script) as handler:
        outcomes = [caller.call(handler.address, method)["success"] for method in "abaaba"]
        assert outcomes == [False, True, False, True, True, True]
        handler.behave(script)
        assert caller.call(handler.address, "a")["code"] == "busy"


def test_odds_repeat_with_the_seed(caller: Any) -> None:
    """The same seed fails the same calls; another seed others."""

    def outcomes(seed: int) -> list[bool]:
        with MockHandler(behaviour=b.Flaky(0.5), seed=seed) as handler:
            return [caller.call(handler.address)["success"] for _ in range(20)]

    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)


def test_methods_that_are_not_offered_are_refused(caller: Any) -> None:
    """As a real handler does; the call is recorded all the same."""
    with MockHandler(methods=["work"]) as handler:
        assert caller.call(handler.address, "work")["success"] is True
        assert caller.call(handler.address, "play")["code"] == "unknown_method"
        assert [call.method for call in handler.calls] == ["work", "play"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"params": {}}', b'{"method": 3}', b"\xff\xfe", b"[" * 100_000]
)
def test_malformed_requests_are_answered_and_counted(caller: Any, data: bytes) -> None:
    """Nothing that arrives kills a mock."""
    with MockHandler() as handler:
        assert json.loads(caller.raw(handler.address, data))["code"] == "malformed"
        assert caller.call(handler.address)["success"] is True
        assert (handler.log.malformed, len(handler.calls)) == (1, 1)


@pytest.mark.parametrize("frames", [[b""], [b"x"], [b"x", b"y"], [b"", b"x", b"y"], [b"x", b"", b"y", b"z"]])
def test_frames_that_no_req_sends_are_told_apart_from_the_next_request(
    caller: Any, make_request: Any, frames: list[bytes]
) -> None:
    """Too few or too many frames are one malformed request, and what follows is read from its beginning."""
    with MockHandler() as handler:
        dealer = caller.socket(zmq.DEALER, handler.address)
        dealer.send_multipart(frames)
        dealer.send_multipart([b"", make_request()])
        assert [call.params for call in handler.wait_for_calls(1)] == [{"n": 1}]
        assert handler.log.malformed == 1


def test_a_request_through_a_chain_of_routers_keeps_its_way_back(caller: Any, make_request: Any) -> None:
    """Every frame before the delimiter comes back before the answer."""
    with MockHandler() as handler:
        dealer = caller.socket(zmq.DEALER, handler.address)
        dealer.send_multipart([b"first", b"second", b"", make_request()])
        assert dealer.poll(5000)
        *envelope, body = dealer.recv_multipart()
        assert envelope == [b"first", b"second", b""]
        assert json.loads(body)["result"] == {"n": 1}


def test_no_call_is_lost_between_writing_and_waiting(caller: Any, make_request: Any, receive_from: Any) -> None:
    """Whoever waits for the next call, over and over while calls pour in, is woken by each of them."""
    with MockHandler() as handler:
        req = caller.socket(zmq.REQ, handler.address)
        for number in range(1, 501):
            req.send(make_request())
            assert handler.wait_for_calls(number, timeout=5.0)[-1].number == number
            assert receive_from(req) is not None
        assert [call.replies for call in handler.wait_for_replies(500)] == [1] * 500


def test_a_wait_in_vain_says_what_was_seen(caller: Any) -> None:
    """The error names what was waited for, how long, and the calls that did come."""
    with MockHandler("h1", behaviour=b.Silent()) as handler:
        caller.call(handler.address, "work", request_id="r-9", timeout=0.05)
        handler.wait_for_calls(1)
        with pytest.raises(
            WaitedInVain, match=r"waited 0\.1 s for 3 calls to h1; seen: 1 calls, .*work r-9 \(no reply\)"
        ):
            handler.wait_for_calls(3, timeout=0.1)


def test_waiting_wakes_at_the_call(caller: Any) -> None:
    """`wait_for_calls` returns when the call arrives, long before its deadline."""
    with MockHandler() as handler:
        timer = threading.Timer(0.1, caller.call, (handler.address,))
        begin = time.monotonic()
        timer.start()
        assert len(handler.wait_for_calls(1, timeout=30)) == 1
        assert time.monotonic() - begin < 5
        timer.join()


def test_reset_forgets_calls_and_behaviour(caller: Any) -> None:
    """One mock can serve many tests: after `reset` it is as new, also when it had died."""
    with MockHandler() as handler:
        handler.behave(b.Error())
        caller.call(handler.address)
        handler.die()
        handler.reset()
        assert handler.calls == ()
        assert caller.call(handler.address)["success"] is True


def test_a_taken_port_is_named(caller: Any) -> None:
    """Two mocks cannot have one port; the error says which."""
    with MockHandler() as first:
        with pytest.raises(HarnessError, match=f"cannot bind 127.0.0.1:{first.port}: Address already in use"):
            MockHandler(port=first.port).start()
        assert caller.call(first.address) is not None


def test_a_behaviour_that_raises_fails_the_test(caller: Any) -> None:
    """The caller gets an error reply at once, and the exception comes out where the test can see it."""

    class Broken(b.Behaviour):
        def plan(self, call: b.Call) -> b.Plan:
            raise ZeroDivisionError("oops")

    with (
        pytest.raises(HarnessError, match="the mock mock failed: oops"),
        MockHandler(behaviour=Broken()) as handler,
    ):
        assert caller.call(handler.address)["code"] == "internal"


def test_a_rep_refuses_what_a_rep_cannot_do(caller: Any) -> None:
    """Two replies to one request are the test's mistake with `kind="rep"`; it is told, and how to do it."""
    with MockHandler(behaviour=b.DuplicateReply(), kind="rep") as handler:
        assert caller.call(handler.address) is not None
        with pytest.raises(HarnessError, match="use kind='router'"):
            handler.wait_for_replies(2, timeout=2.0)


def test_a_rep_that_kept_silent_serves_again(caller: Any) -> None:
    """A real REP that leaves a request unanswered is stuck; the mock replaces it on the same port."""
    script = b.Script((b.When(b.Silent(), last=1),))
    with MockHandler(behaviour=script, kind="rep") as handler:
        assert caller.call(handler.address, timeout=0.3) is None
        assert caller.call(handler.address, request_id="next")["request_id"] == "next"


def test_nothing_is_left_after_the_with(make_request: Any) -> None:
    """Ten mocks that end in mid-work leave the threads and descriptors of one, and the port is free."""
    process = psutil.Process()

    def live() -> tuple[int, int, int]:
        with MockHandler(behaviour=b.Slow(b.Constant(60.0))) as handler, zmq.Context() as context:
            req = context.socket(zmq.REQ)
            req.connect(handler.address)
            req.send(make_request())
            handler.wait_for_calls(1)
            req.close(linger=0)
        return handler.port, threading.active_count(), process.num_fds()

    _, *after_one = live()
    for _ in range(9):
        port, *after_ten = live()

    assert after_ten == after_one
    with MockHandler(port=port) as same:
        assert same.port == port
