"""Rules: the first that does not pass decides."""

from __future__ import annotations

from typing import Any, cast

import pytest

from harness.sim.errors import BadFault
from harness.sim.rules import Deliver, Drop, Duplicate, Hold, Message, Pass, decide

pytestmark = [pytest.mark.sim, pytest.mark.unit]
MESSAGE = Message("a", "b", "tcp://127.0.0.1:1", "PUSH", (b"x",), 1)


def test_first_non_pass_wins() -> None:
    """Rules are asked in order; None and Pass leave the decision to the next."""
    asked: list[str] = []

    def rule(name: str, verdict: object) -> object:
        def decision(message: Message) -> object:
            asked.append(name)
            return verdict

        return decision

    rules = [rule("none", None), rule("pass", Pass()), rule("drop", Drop()), rule("hold", Hold())]
    assert decide(rules, MESSAGE) == Drop()  # type: ignore[arg-type]
    assert asked == ["none", "pass", "drop"]


def test_no_rule_passes() -> None:
    """Without rules, or when all pass, a message travels as usual."""
    assert decide([], MESSAGE) == Pass()
    assert decide([lambda message: None], MESSAGE) == Pass()


def test_verdicts_are_values() -> None:
    """Verdicts compare by what they say."""
    assert Deliver(0.5) == Deliver(0.5, in_order=True) != Deliver(0.5, in_order=False)
    assert (Duplicate().copies, Duplicate(3).copies) == (2, 3)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (Drop, r"returned the class Drop: expected .*; did you mean Drop\(\)\?$"),
        (Hold, r"returned the class Hold: expected .*; did you mean Hold\(\)\?$"),
        (Message, r"returned the class Message: expected .* no opinion$"),
        ("drop", r"returned 'drop': expected Deliver\(seconds\), Drop\(\), Duplicate\(\), Hold\(\), or Pass"),
        (True, r"returned True: expected"),
        (False, r"returned False: expected"),
    ],
)  # fmt: skip
def test_what_is_no_verdict_is_refused(returned: Any, words: str) -> None:
    """Anything but a verdict is an error that names the rule, where it is written, and what it returned."""

    def mistaken(message: Message) -> Any:
        return returned

    with pytest.raises(BadFault, match=r"mistaken \(.*test_rules\.py:\d+\) of the fabric " + words):
        decide([mistaken], MESSAGE)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Deliver(-5), r"Deliver\(delay=\.\.\.\) was given -5: expected seconds, 0 or more"),
        (lambda: Deliver(cast(float, "x")), r"Deliver\(delay=\.\.\.\) was given 'x'"),
        (lambda: Deliver(1, cast(bool, "no")), r"Deliver\(in_order=\.\.\.\) was given 'no': expected True or False"),
        (lambda: Duplicate(1), r"Duplicate\(copies=\.\.\.\) was given 1: expected a whole number, 2 or more"),
        (lambda: Duplicate(0), r"Duplicate\(copies=\.\.\.\) was given 0"),
        (lambda: Duplicate(-1), r"Duplicate\(copies=\.\.\.\) was given -1"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused(make: Any, words: str) -> None:
    """A delay is a number of seconds, a duplicate has two copies at least; made by a rule, the error names it."""
    with pytest.raises(BadFault, match=f"^{words}"):
        make()
    with pytest.raises(BadFault, match=rf"^the rule .*<lambda> \(.*\) of the fabric: {words}"):
        decide([lambda message: make()], MESSAGE)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda: Drop(), r".*<lambda> \(.*test_rules\.py:\d+\) of the fabric raised TypeError: .* takes 0 positional"),
        (Drop, r"Drop of the fabric raised TypeError: .* takes 1 positional argument but 2 were given"),
        (lambda message: message.frames[9], r".*<lambda> \(.*\) of the fabric raised IndexError: tuple index out of"),
    ],
    ids=["no argument", "the class", "an error of its own"],
)
def test_a_rule_that_raises_is_named(rule: Any, words: str) -> None:
    """An error in a rule tells which rule, where it is written, and what a rule is called with."""
    with pytest.raises(BadFault, match=f"^the rule {words}.*; a rule is called with a Message, and returns a verdict$"):
        decide([rule], MESSAGE)


def test_an_object_may_be_a_rule() -> None:
    """What can be called decides; a mistake of it is told by the name of its class."""

    class Mistaken:
        def __call__(self, message: Message) -> Any:
            return 1

    with pytest.raises(BadFault, match=r"^the rule .*Mistaken of the fabric returned 1: "):
        decide([Mistaken()], MESSAGE)
