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
    """

    delay: float
    in_order: bool = True


@dataclass(frozen=True, slots=True)
class Drop:
    """The message never arrives, and nobody is told. (A libzmq peer cannot tell this from one that was never sent.)"""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message arrives `copies` times, one behind the other."""

    copies: int = 2


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the message until ``fabric.release()``; what was sent later overtakes it."""


Rule = Pass | Deliver | Drop | Duplicate | Hold
Decision = Callable[[Message], "Rule | None"]
"""What users write; None means `Pass`."""

PASS = Pass()


def decide(rules: Iterable[Decision], message: Message) -> Rule:
    """The verdict of the first rule that does not pass."""
    for rule in rules:
        verdict = rule(message)
        if verdict is not None and not isinstance(verdict, Pass):
            return verdict
    return PASS
