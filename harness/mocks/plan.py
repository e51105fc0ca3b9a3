"""What a mock does about one call, as data: a `Plan` of steps that whoever owns the socket carries out.

Keeping the decision apart from the doing lets the same behaviour drive a `MockHandler` (which can break the
protocol) and a real handler process (which can wait, answer, keep silent or die, see `Plan.answer`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec


class Framing(StrEnum):
    """The frames around a reply; only `PROPER` is understood by a REQ socket."""

    PROPER = "proper"
    """The empty delimiter, then one frame with the body."""
    NO_DELIMITER = "no-delimiter"
    """The body alone: libzmq drops it at the REQ socket without a word (simulation.md, section 4)."""
    EXTRA_FRAME = "extra-frame"
    """The body, then a second frame that no protocol knows."""


class Moment(StrEnum):
    """When a mock dies, seen from the work on one call."""

    BEFORE = "before"
    """The request has arrived, nothing has been done about it."""
    DURING = "during"
    """The work has begun; there is no reply."""
    AFTER = "after"
    """The reply has left."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a behaviour sees it.

    ``number`` counts the calls since the behaviour was set, from 1; ``of_method`` counts only those of the
    same method. ``rng`` is the mock's seeded stream: every draw of a behaviour comes from it.
    """

    method: str
    params: Mapping[str, Any]
    number: int = 1
    of_method: int = 1
    request_id: str | None = None
    rng: random.Random


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """One reply, sent ``after`` seconds from the arrival of the request.

    A mapping is encoded as JSON with the request's id added; bytes go out as they are. A ``held`` reply waits
    until the next request arrives and then goes to whoever made that one, ahead of its own answer.
    """

    body: Mapping[str, Any] | bytes
    after: float = 0.0
    framing: Framing = Framing.PROPER
    held: bool = False


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """The mock dies ``after`` seconds from the arrival of the request, without goodbye to anyone."""

    moment: Moment
    after: float = 0.0


Step: TypeAlias = Send | Exit


class Outcome(StrEnum):
    """What a plan comes to, in the words of `harness.history.records.Execution`."""

    OK = "ok"
    ERROR = "error"
    SILENT = "silent"


class Plan(msgspec.Struct, frozen=True):
    """Everything a mock does about one call, in order of time; no step at all is silence.

    Example:
        >>> plan = Plan((Send(body={"success": True, "result": 1}, after=0.25),))
        >>> plan.delay, plan.outcome.value
        (0.25, 'ok')
    """

    steps: tuple[Step, ...] = ()

    @property
    def delay(self) -> float:
        """Seconds from the request's arrival to the last step; 0 without any."""
        return max((step.after for step in self.steps), default=0.0)

    @property
    def answer(self) -> Mapping[str, Any] | None:
        """The first well-formed message that is sent; None when there is none."""
        for step in self.steps:
            if isinstance(step, Send) and isinstance(step.body, Mapping) and "success" in step.body:
                return step.body
        return None

    @property
    def exit(self) -> Exit | None:
        """The death in this plan, if it has one."""
        return next((step for step in self.steps if isinstance(step, Exit)), None)

    @property
    def outcome(self) -> Outcome:
        """``ok`` or ``error`` by the answer; ``silent`` when nothing is sent; anything malformed is an error.
        """
        if not any(isinstance(step, Send) for step in self.steps):
            return Outcome.SILENT
        answer = self.answer
        return Outcome.OK if answer is not None and answer["success"] is True else Outcome.ERROR

    def later(self, seconds: float) -> Plan:
        """The same plan, every step `seconds` later."""
        return Plan(tuple(msgspec.structs.replace(step, after=step.after + seconds) for step in self.steps))


SILENCE: Final = Plan()
"""Nothing is ever sent."""

_encode: Final = msgspec.json.Encoder().encode


def encode(body: Mapping[str, Any] | bytes, request_id: str | None) -> bytes:
    """The bytes of one reply, with the id of the request it answers unless the body names its own.

    Example:
        >>> encode({"success": True, "result": None}, "r-1")
        b'{"success":true,"result":null,"request_id":"r-1"}'
    """
    if isinstance(body, bytes):
        return body
    if request_id is not None and "request_id" not in body:
        body = {**body, "request_id": request_id}
    return _encode(body)
