"""What both clients send: encoded once, under an id of its own, with the moment at which it is given up."""

from __future__ import annotations

import json

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
    assert call.data == b'{"method":"work","params":{"n":1},"request_id":"id"}'


@pytest.mark.parametrize(
    ("timeout", "later", "patience"),
    [(1500, 0.0, 1350), (1500, 1.0, 350), (1500, 1.4, 0), (1500, 9.0, 0), (60_000, 0.0, 59_500)],
)
def test_a_message_tells_for_how_long_its_call_may_wait_to_be_begun(
    monkeypatch: pytest.MonkeyPatch, timeout: int, later: float, patience: int
) -> None:
    """What is left at the moment of sending, but for a tenth of the time-out, half a second at most; never less than
    none.
    """
    present = [100.0]
    monkeypatch.setattr("schedule_zero.outgoing.time.monotonic", lambda: present[0])
    call = Calls().make("work", {"n": 1}, timeout, "id")
    present[0] += later

    assert json.loads(call.message()) == {
        "method": "work", "params": {"n": 1}, "request_id": "id", "patience": patience,
    }  # fmt: skip


def test_parameters_that_are_no_json_are_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(ProtocolError):
        Calls().make("work", {"when": object()}, 1000, None)
