"""Behaviours are plans made of data: what each comes to, and how they nest."""

from __future__ import annotations

import random
import statistics
from typing import Any

import pytest

from harness.errors import UsageError
from harness.mocks import behaviours as b
from harness.mocks.plan import encode

pytestmark = pytest.mark.unit


def call(number: int = 1, method: str = "work", *, of_method: int | None = None, seed: int = 0) -> b.Call:
    """A call with parameters ``{"n": 1}``."""
    return b.Call(
        method=method,
        params={"n": 1},
        number=number,
        of_method=number if of_method is None else of_method,
        request_id="r-1",
        rng=random.Random(seed),
    )


@pytest.mark.parametrize(
    ("behaviour", "outcome", "answer", "delay"),
    [
        (b.Echo(), "ok", {"success": True, "result": {"n": 1}}, 0.0),
        (b.Reply([1, 2]), "ok", {"success": True, "result": [1, 2]}, 0.0),
        (b.Error("no", "busy"), "error", {"success": False, "error": "no", "code": "busy"}, 0.0),
        (b.Silent(), "silent", None, 0.0),
        (b.Slow(b.Constant(2.0)), "ok", {"success": True, "result": {"n": 1}}, 2.0),
        (b.Slow(b.Constant(1.0), b.Slow(b.Constant(0.5), b.Error())), "error",
         {"success": False, "error": "mock error", "code": "call_failed"}, 1.5),
        (b.Malformed(), "error", None, 0.0),
        (b.WrongSchema(), "error", None, 0.0),
        (b.DuplicateReply(gap=0.5, times=3), "ok", {"success": True, "result": {"n": 1}}, 1.0),
        (b.Late(by=12.0), "ok", {"success": True, "result": {"n": 1}}, 12.0),
        (b.Die(b.Moment.DURING, b.Slow(b.Constant(4.0))), "silent", None, 2.0),
        (b.Die(b.Moment.AFTER, b.Slow(b.Constant(4.0))), "ok", {"success": True, "result": {"n": 1}}, 4.0),
    ],
)  # fmt: skip
def test_what_a_behaviour_comes_to(behaviour: b.Behaviour, outcome: str, answer: Any, delay: float) -> None:
    """Outcome, answer and delay of the plan are what a worker process acts on."""
    plan = behaviour.plan(call())

    assert (plan.outcome.value, plan.answer, plan.delay) == (outcome, answer, delay)


def test_replies_are_given_in_turn_and_end_as_told() -> None:
    """After the last item: the last again, the first again, or an error."""
    items = (1, 2, b.Error("third"))

    def results(at_end: b.AtEnd) -> list[Any]:
        answers = [b.Replies(items, at_end).plan(call(n)).answer or {} for n in range(1, 6)]
        return [answer.get("result", answer.get("error")) for answer in answers]

    assert results(b.AtEnd.LAST) == [1, 2, "third", "third", "third"]
    assert results(b.AtEnd.CYCLE) == [1, 2, "third", 1, 2]
    assert results(b.AtEnd.ERROR) == [1, 2, "third"] + ["only 3 replies were scripted"] * 2


def test_the_first_line_that_matches_wins() -> None:
    """Method, number and odds all have to fit; with a method the numbers count its own calls."""
    script = b.Script(
        (
            b.When(b.Reply("a2"), first=2, last=2, method="a"),
            b.When(b.Reply("b"), method="b"),
            b.When(b.Reply("4+"), first=4),
        ),
        otherwise=b.Reply("other"),
    )

    def result(number: int, method: str, of_method: int) -> Any:
        return (script.plan(call(number, method, of_method=of_method)).answer or {})["result"]

    assert result(1, "a", 1) == "other"
    assert result(3, "a", 2) == "a2"
    assert result(2, "b", 1) == "b"
    assert result(4, "a", 3) == "4+"


def test_odds_are_kept() -> None:
    """10 % of 5,000 calls, within four sigma."""
    rng = random.Random(5)
    flaky = b.Flaky(0.1)
    calls = (b.Call(method="m", params={}, rng=rng) for _ in range(5000))
    failed = sum(flaky.plan(c).outcome is b.Outcome.ERROR for c in calls)

    assert 415 <= failed <= 585


def test_the_log_normal_has_its_percentiles() -> None:
    """p50 and p99 of 20,000 draws lie within 3 % and 10 % of what was stated."""
    rng = random.Random(2)
    draws = [b.percentiles(0.02, 0.2).sample(rng) for _ in range(20_000)]
    cuts = statistics.quantiles(draws, n=100)

    assert cuts[49] == pytest.approx(0.02, rel=0.03)
    assert cuts[98] == pytest.approx(0.2, rel=0.10)
    assert b.percentiles(0.3, 0.3) == b.Constant(0.3)


def test_a_wrapper_keeps_what_its_inner_behaviour_does_about_ping() -> None:
    """Only a frozen handler leaves a ping unanswered, however deep it is wrapped."""
    frozen = b.Slow(b.Constant(1.0), b.DuplicateReply(b.Late(1.0, b.Flaky(0.1, b.Silent(ping=False)))))

    assert frozen.answers_ping is False
    assert b.Script((b.When(b.Silent(ping=False), last=1),)).answers_ping is True
    assert b.Silent().answers_ping is True


def test_a_held_reply_keeps_the_id_of_its_own_request() -> None:
    """It is the reply to the dead request, and says so, whoever gets it."""
    [step] = b.Late().plan(call()).steps

    assert isinstance(step, b.Send)
    assert step.held
    assert encode(step.body, "another") == b'{"request_id":"r-1","success":true,"result":{"n":1}}'


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b.Constant(-1.0), "zero seconds or more"),
        (lambda: b.LogNormal(0.2, 0.1), "0 < p50 <= p99"),
        (lambda: b.Flaky(1.5), "between 0 and 1"),
        (lambda: b.When(b.Echo(), first=3, last=2), "counted from 1 upwards, found 3..2"),
        (lambda: b.DuplicateReply(times=1), "2 copies or more"),
        (lambda: b.Late(-1.0), "late by zero"),
        (lambda: b.Oversize(-1), "zero bytes or more"),
        (lambda: b.Replies(()), "at least one reply"),
    ],
)
def test_nonsense_is_refused_when_it_is_made(make: Any, message: str) -> None:
    """Not at the first call."""
    with pytest.raises(UsageError, match=message):
        make()
