"""Behaviours that break the protocol or a promise of it: garbage, silence, surplus and late replies, death."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.mocks.answers import Behaviour, Echo
from harness.mocks.plan import SILENCE, Call, Exit, Framing, Moment, Plan, Send


class Schema(StrEnum):
    """Ways in which a reply is JSON and yet no reply."""

    NO_SUCCESS = "no-success"
    SUCCESS_TEXT = "success-text"
    ARRAY = "array"
    ERROR_NUMBER = "error-number"
    WRONG_ID = "wrong-id"
    """Well-formed, but with the id of a request that nobody made."""


@dataclass(frozen=True)
class WrongSchema(Behaviour):
    """Answers with JSON that is not what the protocol says."""

    variant: Schema = Schema.NO_SUCCESS

    def plan(self, call: Call) -> Plan:
        """One reply of the wrong shape, with the right request id unless that is what is wrong."""
        if self.variant is Schema.ARRAY:
            return Plan((Send(body=b'[true,"result"]'),))
        bodies: dict[Schema, dict[str, Any]] = {
            Schema.NO_SUCCESS: {"status": "done", "result": call.params},
            Schema.SUCCESS_TEXT: {"success": "yes", "result": call.params},
            Schema.ERROR_NUMBER: {"success": False, "error": 42, "code": 7},
            Schema.WRONG_ID: {"success": True, "result": call.params, "request_id": "nobody-asked-this"},
        }
        return Plan((Send(body=bodies[self.variant]),))


class Garbage(StrEnum):
    """Ways in which a reply is not even JSON in its envelope."""

    NOT_JSON = "not-json"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    INVALID_UTF8 = "invalid-utf8"
    NO_DELIMITER = "no-delimiter"
    EXTRA_FRAME = "extra-frame"


_BODIES: dict[Garbage, bytes] = {
    Garbage.NOT_JSON: b"<html>502 Bad Gateway</html>",
    Garbage.TRUNCATED: b'{"success": true, "result": {"n": ',
    Garbage.EMPTY: b"",
    Garbage.INVALID_UTF8: b'{"success": true, "result": "\xff\xfe"}',
}
_FRAMINGS: dict[Garbage, Framing] = {
    Garbage.NO_DELIMITER: Framing.NO_DELIMITER,
    Garbage.EXTRA_FRAME: Framing.EXTRA_FRAME,
}


@dataclass(frozen=True)
class Malformed(Behaviour):
    """Answers with bytes or frames that nobody can read; without its delimiter a reply never reaches the REQ
    socket's user.
    """

    variant: Garbage = Garbage.NOT_JSON

    def plan(self, call: Call) -> Plan:
        """One unreadable reply."""
        body: dict[str, Any] | bytes = _BODIES.get(self.variant, {"success": True, "result": dict(call.params)})
        return Plan((Send(body=body, framing=_FRAMINGS.get(self.variant, Framing.PROPER)),))


@dataclass(frozen=True)
class Oversize(Behaviour):
    """Answers with success and a text of ``size`` bytes, so that the message is larger than that."""

    size: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.size < 0:
            raise UsageError(f"a size is zero bytes or more, found {self.size}")

    def plan(self, call: Call) -> Plan:
        """One large reply."""
        return Plan((Send(body={"success": True, "result": "x" * self.size}),))


@dataclass(frozen=True)
class Silent(Behaviour):
    """Never answers a call. With ``ping`` it still answers `ping`, as a hung handler does whose socket thread
    lives on.
    """

    ping: bool = True

    def plan(self, call: Call) -> Plan:
        """Nothing."""
        return SILENCE

    @property
    def answers_ping(self) -> bool:
        """As told."""
        return self.ping


@dataclass(frozen=True)
class DuplicateReply(Behaviour):
    """Sends every reply of ``inner`` ``times`` times, ``gap`` seconds apart."""

    inner: Behaviour = field(default_factory=Echo)
    times: int = 2
    gap: float = 0.0

    def __post_init__(self) -> None:
        if self.times < 2 or self.gap < 0:
            raise UsageError(f"expected 2 copies or more, 0 s or more apart; found {self.times}, {self.gap} s")

    def plan(self, call: Call) -> Plan:
        """The inner plan with each reply repeated."""
        steps = self.inner.plan(call).steps
        copies = [
            msgspec.structs.replace(step, after=step.after + n * self.gap)
            for n in range(self.times)
            for step in steps
            if n == 0 or isinstance(step, Send)
        ]
        return Plan(tuple(sorted(copies, key=lambda step: step.after)))

    @property
    def answers_ping(self) -> bool:
        """As the inner behaviour."""
        return self.inner.answers_ping


@dataclass(frozen=True)
class Late(Behaviour):
    """Replies to a request that is dead by then.

    With ``by`` the reply comes that many seconds late. Without, it is held until the next request arrives and
    is sent to whoever made that one, ahead of its own answer: a client that takes it has mixed up two
    requests.
    """

    by: float | None = None
    inner: Behaviour = field(default_factory=Echo)

    def __post_init__(self) -> None:
        if self.by is not None and self.by < 0:
            raise UsageError(f"a reply is late by zero seconds or more, found {self.by}")

    def plan(self, call: Call) -> Plan:
        """The inner plan, late."""
        plan = self.inner.plan(call)
        if self.by is not None:
            return plan.later(self.by)
        return Plan(tuple(_held(step, call.request_id) for step in plan.steps))

    @property
    def answers_ping(self) -> bool:
        """As the inner behaviour."""
        return self.inner.answers_ping


def _held(step: Send | Exit, request_id: str | None) -> Send | Exit:
    """`step` as a held reply that carries the id of the request it was made for, not of the one it will be
    sent to.
    """
    if isinstance(step, Exit):
        return step
    body = step.body
    if not isinstance(body, bytes) and request_id is not None:
        body = {"request_id": request_id, **body}
    return msgspec.structs.replace(step, body=body, held=True)


@dataclass(frozen=True)
class Die(Behaviour):
    """Dies over a call: on its arrival, half-way through the work of ``inner``, or when the reply has left."""

    moment: Moment = Moment.DURING
    inner: Behaviour = field(default_factory=Echo)

    def plan(self, call: Call) -> Plan:
        """The inner plan as far as it gets."""
        if self.moment is Moment.BEFORE:
            return Plan((Exit(moment=self.moment),))
        plan = self.inner.plan(call)
        if self.moment is Moment.DURING:
            return Plan((Exit(moment=self.moment, after=plan.delay / 2),))
        return Plan((*plan.steps, Exit(moment=self.moment, after=plan.delay)))
