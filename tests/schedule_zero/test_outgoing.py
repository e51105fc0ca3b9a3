"""What both clients send: encoded once, under an id of its own, with the moment at which it is given up."""

from __future__ import annotations

import pytest

from schedule_zero.errors import ProtocolError
from schedule_zero.outgoing import Calls

pytestmark = pytest.mark.unit


def test_no_two_calls_of_any_clients_have_one_id() -> None:
    """Two clients, two calls each; ids that are given are taken."""
    made = [calls.make("work", {}, 1000, None).request_id for calls in (Calls(), Calls()) for _ in range(2)]

    assert len(set(made)) == 4
    assert Calls().make("work", {}, 1000, "mine").request_id == "mine"


def test_a_time_out_is_told_in_milliseconds_and_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 ms from now, by the clock that no one sets."""
    monkeypatch.setattr("schedule_zero.outgoing.time.monotonic", lambda: 100.0)

    call = Calls().make("work", {"n": 1}, 1500, "id", auto_reconnect=False, generation=3)

    assert (call.limit, call.deadline, call.auto_reconnect, call.generation) == (1.5, 101.5, False, 3)
    assert b'"n":1' in call.data


def test_parameters_that_are_no_json_are_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(ProtocolError):
        Calls().make("work", {"when": object()}, 1000, None)
