"""Mocks register as real handlers do, and in all the ways that real ones should not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from harness.errors import NeverReady, UsageError
from harness.mocks import behaviours as b
from harness.mocks.calls import WaitedInVain
from harness.mocks.mock_handler import MockHandler
from harness.mocks.mock_registration import MockRegistrationServer
from harness.mocks.registration import NoAnswer, Refused, RegistrationPeer

pytestmark = [pytest.mark.zmq, pytest.mark.integration]


def test_a_handler_registers_and_says_goodbye() -> None:
    """Inside the ``with`` the server knows its address, methods and incarnation; afterwards it is offline."""
    with MockRegistrationServer() as server:
        with MockHandler("h1", methods=["work", "tick"], register_with=server.address) as handler:
            found = server.handlers["h1"]
            assert (found.address, found.methods, found.status) == (handler.address, ("work", "tick"), "online")
            assert found.incarnation
            assert handler.registrations == 1
        assert server.handlers["h1"].status == "offline"


def test_the_request_has_the_documented_form() -> None:
    """What a raw peer receives is the documented JSON, field by field."""
    with MockRegistrationServer() as server, MockHandler("h1", register_with=server.address) as handler:
        [call] = server.calls
        assert call.method == "register"
        assert sorted(call.params) == ["address", "handler_id", "incarnation", "methods", "pid"]
        assert call.params["address"] == handler.address
        assert call.params["methods"] == []  # it answers any, so it tells none


def test_heartbeats_go_on() -> None:
    """Every 50 ms one report, as long as it lives; none while told to send none."""
    with (
        MockRegistrationServer() as server,
        MockHandler("h1", register_with=server.address, heartbeat=0.05) as handler,
    ):
        server.wait_for_calls(5)
        assert server.handlers["h1"].heartbeats >= 3
        handler.silence_heartbeats()
        time.sleep(0.15)  # those under way
        before = len(server.calls)
        time.sleep(0.3)
        assert len(server.calls) == before
        handler.silence_heartbeats(False)
        server.wait_for_calls(before + 1)


def test_a_server_that_comes_back_empty_is_registered_with_again() -> None:
    """After a restart the server knows nobody; the next heartbeat is refused, and the handler registers
    anew.
    """
    with (
        MockRegistrationServer() as server,
        MockHandler("h1", register_with=server.address, heartbeat=0.05) as handler,
    ):
        server.restart()
        assert server.wait_for_handler("h1").address == handler.address
        handler.wait_registered(2)
        assert handler.announcer is not None
        assert handler.announcer.refusals == ["unknown_handler"]


def test_a_handler_may_never_register(caller: Any) -> None:
    """``registrations=0``: it answers calls, and the server never hears of it."""
    with (
        MockRegistrationServer() as server,
        MockHandler("h1", register_with=server.address, registrations=0) as handler,
    ):
        assert caller.call(handler.address) is not None
        assert (server.handlers, server.calls) == ({}, ())
        with pytest.raises(UsageError, match="does not register"):
            handler.register_again()


def test_a_handler_may_register_twice() -> None:
    """``registrations=2``: two requests, one handler."""
    with (
        MockRegistrationServer() as server,
        MockHandler("h1", register_with=server.address, registrations=2),
    ):
        assert [call.method for call in server.calls] == ["register", "register"]
        assert server.handlers["h1"].registrations == 2


def test_a_handler_may_turn_up_elsewhere(caller: Any) -> None:
    """`move`: the same incarnation under another address; the old one is dead."""
    with MockRegistrationServer() as server, MockHandler("h1", register_with=server.address) as handler:
        old, incarnation = handler.address, server.handlers["h1"].incarnation
        new = handler.move()
        assert new != old
        assert (server.handlers["h1"].address, server.handlers["h1"].incarnation) == (new, incarnation)
        assert caller.call(new) is not None
        assert caller.call(old, "ping", timeout=0.2) is None


def test_a_handler_may_go_to_another_server() -> None:
    """It registers there, and its heartbeats go there from then on."""
    with (
        MockRegistrationServer("first") as first,
        MockRegistrationServer("second") as second,
        MockHandler("h1", register_with=first.address, heartbeat=0.05) as handler,
    ):
        handler.register_again(second.address)
        second.wait_for_calls(3)
        assert second.handlers["h1"].address == handler.address


def test_a_death_is_silent_and_a_revival_is_another_incarnation() -> None:
    """No goodbye; the address stays, the incarnation does not."""
    with MockRegistrationServer() as server, MockHandler("h1", register_with=server.address) as handler:
        before = server.handlers["h1"]
        handler.die()
        assert server.handlers["h1"].status == "online"
        handler.revive()
        after = server.wait_for_handler("h1", registrations=2)
        assert after.address == before.address
        assert after.incarnation != before.incarnation


def test_registration_survives_lost_answers() -> None:
    """The first two registrations are not answered; the third is."""
    with MockRegistrationServer() as server:
        server.behave(b.Script((b.When(b.Error("not now", "unavailable"), last=2),), otherwise=server.registry))
        with MockHandler("h1", register_with=server.address):
            assert [call.method for call in server.calls] == ["register"] * 3


def test_a_server_that_is_not_there_is_named() -> None:
    """The start fails with the address, the time, and the last problem; nothing stays behind to be stopped."""
    with MockRegistrationServer() as server:
        address = server.address
    handler = MockHandler("h1", register_with=address, ready_timeout=0.3)
    with pytest.raises(
        NeverReady, match=rf"h1 waited 0\.3 s for registration 1 at {address}; confirmed so far: 0"
    ):
        handler.start()
    assert not handler.alive


def test_the_raw_peer_reports_refusals_and_silence() -> None:
    """`Refused` carries the code, `NoAnswer` the time-out."""
    with MockRegistrationServer() as server, RegistrationPeer(server.address, "h1", timeout=0.2) as peer:
        with pytest.raises(Refused, match="no such handler: h1") as refused:
            peer.report_status()
        assert refused.value.code == "unknown_handler"
        assert peer.register("tcp://127.0.0.1:1")["server_incarnation"] == "mock-1"
        assert peer.unregister() == {"unregistered": True}
        server.behave(b.Silent())
        with pytest.raises(NoAnswer, match=r"did not answer register of h1 within 0\.2 s"):
            peer.register("tcp://127.0.0.1:1")


def test_the_mock_server_refuses_nonsense() -> None:
    """Missing fields and unknown methods are errors with the protocol's codes."""
    with MockRegistrationServer() as server, RegistrationPeer(server.address, "h1") as peer:
        assert peer.request("register", {"handler_id": "", "address": "tcp://x:1"})["code"] == "bad_params"
        assert peer.request("register", {"handler_id": "h1", "address": 7})["code"] == "bad_params"
        peer.register("tcp://127.0.0.1:1")
        assert peer.request("explode", {"handler_id": "h1"})["code"] == "unknown_method"
        assert json.loads(peer.exchange(b"{"))["code"] == "malformed"


def test_waiting_for_a_handler_in_vain_says_so() -> None:
    """The error names the handler and the server."""
    with (
        MockRegistrationServer() as server,
        pytest.raises(WaitedInVain, match=r"registration 1 of h9 at registration"),
    ):
        server.wait_for_handler("h9", timeout=0.05)
