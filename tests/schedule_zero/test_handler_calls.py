"""The memory by which a request id never runs twice."""

from __future__ import annotations

import pytest

from schedule_zero.handler_calls import CallMemory, Claim

pytestmark = pytest.mark.unit


def test_new_then_joined_then_answered() -> None:
    """The same id is run once; while it runs others join, afterwards they get the remembered answer."""
    memory = CallMemory()
    first = memory.claim("r", "m", [b"a"])
    second = memory.claim("r", "m", [b"b"])

    assert (first.claim, second.claim) == (Claim.RUN, Claim.JOINED)
    assert memory.running == 1
    assert memory.finish(first.number, b"answer") == [[b"a"], [b"b"]]
    third = memory.claim("r", "m", [b"c"])
    assert (third.claim, third.answer) == (Claim.ANSWERED, b"answer")
    assert memory.running == 0


def test_id_of_another_method() -> None:
    """An id that belongs to a call of another method is neither run nor answered with that call's result."""
    memory = CallMemory()
    memory.finish(memory.claim("r", "m", [b"a"]).number, b"answer")
    assert memory.claim("r", "other", [b"a"]).claim is Claim.REUSED


def test_calls_without_an_id_are_all_run() -> None:
    """Peers that send no id get every call run, and nothing is remembered of it."""
    memory = CallMemory()
    for _ in range(2):
        decision = memory.claim(None, "m", [b"a"])
        assert decision.claim is Claim.RUN
        assert memory.finish(decision.number, b"answer") == [[b"a"]]
    assert memory.remembered == 0


def test_withdrawn_call_may_be_run_later() -> None:
    """A call that was turned away did not run, so the same id is new the next time."""
    memory = CallMemory()
    number = memory.claim("r", "m", [b"a"]).number
    assert memory.withdraw(number) == [[b"a"]]
    assert memory.claim("r", "m", [b"a"]).claim is Claim.RUN


def test_memory_is_bounded_by_count() -> None:
    """The oldest answer is forgotten first."""
    memory = CallMemory(limit=2)
    for request_id in ("r1", "r2", "r3"):
        memory.finish(memory.claim(request_id, "m", [b"a"]).number, b"answer")
    assert memory.remembered == 2
    assert memory.claim("r1", "m", [b"a"]).claim is Claim.RUN
    assert memory.claim("r3", "m", [b"a"]).claim is Claim.ANSWERED


def test_memory_is_bounded_by_bytes() -> None:
    """Large answers push out others though the count allows them."""
    memory = CallMemory(limit=100, max_bytes=10)
    for request_id in ("r1", "r2", "r3"):
        memory.finish(memory.claim(request_id, "m", [b"a"]).number, b"12345")
    assert memory.remembered == 2


def test_waiters_of_one_call_are_bounded() -> None:
    """A call that is asked for again and again keeps its 64 latest askers."""
    memory = CallMemory()
    number = memory.claim("r", "m", [b"0"]).number
    for n in range(1, 100):
        memory.claim("r", "m", [str(n).encode()])
    waiters = memory.finish(number, b"answer")
    assert len(waiters) == 64
    assert waiters[-1] == [b"99"]
    assert memory.finish(number, b"again") == []


def test_requests_weigh_while_they_run() -> None:
    """Their sizes are known until they are answered or withdrawn; a repetition weighs nothing."""
    memory = CallMemory(limit=10)
    first = memory.claim("r-1", "m", [b"a"], 100).number
    second = memory.claim(None, "m", [b"a"], 20).number
    memory.claim("r-1", "m", [b"b"], 100)
    assert memory.running_bytes == 120
    memory.finish(first, b"answer")
    assert memory.running_bytes == 20
    memory.withdraw(second)
    memory.withdraw(second)
    assert memory.running_bytes == 0
