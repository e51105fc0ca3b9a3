"""Every behaviour a mock can have, and `parse` to read one from plain data.

Behaviours are small immutable values that nest: ``Slow(percentiles(0.02, 0.2), Flaky(0.05))`` answers late,
and every twentieth time with an error. Any of them can be given to a
`harness.mocks.mock_handler.MockHandler`.

Example:
    >>> parse({"flaky": "5%"}) == Flaky(0.05)
    True
"""

from __future__ import annotations

from harness.mocks.answers import AtEnd, Behaviour, Echo, Error, Replies, Reply
from harness.mocks.composition import Flaky, Script, Slow, When
from harness.mocks.distributions import Constant, Distribution, LogNormal, percentiles
from harness.mocks.misbehaviours import (
    Die,
    DuplicateReply,
    Garbage,
    Late,
    Malformed,
    Oversize,
    Schema,
    Silent,
    WrongSchema,
)
from harness.mocks.parsing import parse, words
from harness.mocks.plan import Call, Exit, Framing, Moment, Outcome, Plan, Send

__all__ = [
    "AtEnd",
    "Behaviour",
    "Call",
    "Constant",
    "Die",
    "Distribution",
    "DuplicateReply",
    "Echo",
    "Error",
    "Exit",
    "Flaky",
    "Framing",
    "Garbage",
    "Late",
    "LogNormal",
    "Malformed",
    "Moment",
    "Outcome",
    "Oversize",
    "Plan",
    "Replies",
    "Reply",
    "Schema",
    "Script",
    "Send",
    "Silent",
    "Slow",
    "When",
    "WrongSchema",
    "parse",
    "percentiles",
    "words",
]
