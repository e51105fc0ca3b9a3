"""Behaviours that keep to the protocol: echo, scripted results, and error replies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.errors import UsageError
from harness.mocks.plan import Call, Plan, Send


class Behaviour(ABC):
    """Decides what is done about a call. Immutable: the same call gets the same plan, but for draws from
    ``call.rng``.
    """

    @abstractmethod
    def plan(self, call: Call) -> Plan:
        """What to do about `call`."""

    @property
    def answers_ping(self) -> bool:
        """Whether `ping` is still answered while this behaviour is on."""
        return True


def result(value: Any) -> Plan:
    """The plan that answers at once with success and `value`."""
    return Plan((Send(body={"success": True, "result": value}),))


@dataclass(frozen=True)
class Echo(Behaviour):
    """Answers with the parameters it was called with."""

    def plan(self, call: Call) -> Plan:
        """Success, with the call's parameters as the result."""
        return result(call.params)


@dataclass(frozen=True)
class Error(Behaviour):
    """Answers ``success: false``; ``code`` is one of the protocol's, or any other text."""

    message: str = "mock error"
    code: str = "call_failed"

    def plan(self, call: Call) -> Plan:
        """Failure, with this code and message."""
        return Plan((Send(body={"success": False, "error": self.message, "code": self.code}),))


@dataclass(frozen=True)
class Reply(Behaviour):
    """Answers every call with success and this value."""

    value: Any = None

    def plan(self, call: Call) -> Plan:
        """Success with the value."""
        return result(self.value)


class AtEnd(StrEnum):
    """What a script of replies does when it has run out."""

    LAST = "last"
    """Repeats the last reply."""
    CYCLE = "cycle"
    """Begins again."""
    ERROR = "error"
    """Answers with the error ``script_exhausted``."""


@dataclass(frozen=True)
class Replies(Behaviour):
    """The nth call gets the nth of ``items``: a value to answer with, or a behaviour.

    Example:
        >>> import random
        >>> script = Replies((1, Error("boom")))
        >>> rng = random.Random(0)
        >>> calls = [Call(method="m", params={}, number=n, rng=rng) for n in (1, 2, 3)]
        >>> [script.plan(call).outcome.value for call in calls]
        ['ok', 'error', 'error']
    """

    items: tuple[Any, ...]
    at_end: AtEnd = AtEnd.LAST

    def __post_init__(self) -> None:
        if not self.items:
            raise UsageError("a script of replies needs at least one reply")

    def plan(self, call: Call) -> Plan:
        """The plan of the item whose turn it is."""
        index = call.number - 1
        if index >= len(self.items):
            if self.at_end is AtEnd.ERROR:
                return Error(f"only {len(self.items)} replies were scripted", "script_exhausted").plan(call)
            index = index % len(self.items) if self.at_end is AtEnd.CYCLE else -1
        item = self.items[index]
        return item.plan(call) if isinstance(item, Behaviour) else result(item)
