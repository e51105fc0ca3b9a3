"""Rules: the first that does not pass decides."""

from __future__ import annotations

import pytest

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
