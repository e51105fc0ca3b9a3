"""What becomes of a message on its way: pass, deliver late, drop, duplicate, hold.

A rule is a function of a `Message`; the first one that does not pass decides.

>>> def lose_first(message: Message) -> Rule:
...     return Drop() if message.nth == 1 else Pass()
>>> decide([lose_first], Message("client", "server", "tcp://127.0.0.1:5555", "REQ", (b"", b"hello"), 1))
Drop()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.sim.errors import BadFault
from harness.sim.fault_arguments import check_seconds, check_whole


@dataclass(frozen=True, slots=True)
class Message:
    """One message about to travel.

    `source` and `target` are names of processes, `endpoint` the address that was bound, `pattern` the type of the
    sending socket (``REQ``), `frames` all parts as they go over the wire, `nth` its number on this connection
    and in this direction, from 1.
    """

    source: str
    target: str
    endpoint: str
    pattern: str
    frames: tuple[bytes, ...]
    nth: int


@dataclass(frozen=True, slots=True)
class Pass:
    """This rule has no opinion; the next one decides, and in the end the message travels as usual."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Let the message arrive `delay` seconds after it was sent.

    With `in_order` (TCP) whatever was sent later on this connection waits behind it; without, the rest overtakes it.

    :raises BadFault: the delay is no number, negative or endless; `in_order` is no truth value.
    """

    delay: float
    in_order: bool = True

    def __post_init__(self) -> None:
        check_seconds("Deliver(delay=...)", self.delay)
        if not isinstance(self.in_order, bool):
            raise BadFault(f"Deliver(in_order=...) was given {self.in_order!r}: expected True or False")


@dataclass(frozen=True, slots=True)
class Drop:
    """The message never arrives, and nobody is told. (A libzmq peer cannot tell this from one that was never sent.)"""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message arrives `copies` times, one behind the other.

    :raises BadFault: fewer than two copies, which would not be a duplicate (see `Pass`, `Drop`).
    """

    copies: int = 2

    def __post_init__(self) -> None:
        check_whole("Duplicate(copies=...)", self.copies, 2)


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the message until ``fabric.release()``; what was sent later overtakes it."""


Rule = Pass | Deliver | Drop | Duplicate | Hold
Decision = Callable[[Message], "Rule | None"]
"""What users write; None means `Pass`."""

PASS = Pass()


def decide(rules: Iterable[Decision], message: Message) -> Rule:
    """The verdict of the first rule that does not pass.

    :raises BadFault: a rule raised an error, or returned something that is no verdict, for example the class `Drop`
        instead of ``Drop()``.
    """
    for rule in rules:
        try:
            verdict = rule(message)
        except BadFault as error:
            raise BadFault(f"the rule {_name(rule)} of the fabric: {error}") from error
        except Exception as error:
            raise BadFault(
                f"the rule {_name(rule)} of the fabric raised {type(error).__name__}: {error}; a rule is called with a "
                f"Message, and returns a verdict"
            ) from error
        if verdict is None or isinstance(verdict, Pass):
            continue
        if not isinstance(verdict, Rule):
            raise BadFault(_no_verdict(rule, verdict))
        return verdict
    return PASS


def _no_verdict(rule: Decision, verdict: Any) -> str:
    """What is wrong with it; the parentheses are what is most often forgotten."""
    kind = isinstance(verdict, type)
    given = f"the class {verdict.__name__}" if kind else f"{verdict!r:.100}"
    hint = f"; did you mean {verdict.__name__}()?" if kind and issubclass(verdict, Rule) else ""
    return (
        f"the rule {_name(rule)} of the fabric returned {given}: expected Deliver(seconds), Drop(), Duplicate(), "
        f"Hold(), or Pass() or None for no opinion{hint}"
    )


def _name(rule: Decision) -> str:
    """What the function is called, and where it is written: most of them are lambdas."""
    code = getattr(rule, "__code__", None)
    name = getattr(rule, "__qualname__", type(rule).__qualname__)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"
