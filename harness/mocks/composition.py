"""Behaviours made of other behaviours: slower, now and then, or chosen by call number, method or odds."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import UsageError
from harness.mocks.answers import Behaviour, Echo, Error
from harness.mocks.distributions import Distribution
from harness.mocks.plan import Call, Plan


@dataclass(frozen=True)
class Slow(Behaviour):
    """``inner``, later by a duration drawn for each call."""

    distribution: Distribution
    inner: Behaviour = field(default_factory=Echo)

    def plan(self, call: Call) -> Plan:
        """The inner plan, every step later by one draw."""
        return self.inner.plan(call).later(self.distribution.sample(call.rng))

    @property
    def answers_ping(self) -> bool:
        """As the inner behaviour."""
        return self.inner.answers_ping


@dataclass(frozen=True)
class Flaky(Behaviour):
    """``failure`` with these odds (0 to 1), else ``inner``."""

    odds: float
    inner: Behaviour = field(default_factory=Echo)
    failure: Behaviour = field(default_factory=lambda: Error("flaky", "call_failed"))

    def __post_init__(self) -> None:
        _check_odds(self.odds)

    def plan(self, call: Call) -> Plan:
        """One draw, then the plan it chose."""
        return (self.failure if call.rng.random() < self.odds else self.inner).plan(call)

    @property
    def answers_ping(self) -> bool:
        """As the inner behaviour."""
        return self.inner.answers_ping


@dataclass(frozen=True)
class When:
    """One line of a `Script`: ``do`` this for calls ``first`` to ``last`` (from 1, both included), of
    ``method``, with ``odds``.

    What is not given does not restrict. With ``method`` the numbers count the calls of that method only.
    """

    do: Behaviour
    first: int = 1
    last: int | None = None
    method: str | None = None
    odds: float = 1.0

    def __post_init__(self) -> None:
        _check_odds(self.odds)
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise UsageError(f"calls are counted from 1 upwards, found {self.first}..{self.last}")

    def matches(self, call: Call) -> bool:
        """Whether this line is the one for `call`; draws from the call's stream only when everything else
        fits.
        """
        if self.method is not None and self.method != call.method:
            return False
        number = call.number if self.method is None else call.of_method
        if number < self.first or (self.last is not None and number > self.last):
            return False
        return self.odds >= 1.0 or call.rng.random() < self.odds


@dataclass(frozen=True)
class Script(Behaviour):
    """The first line that matches a call says what is done about it; ``otherwise`` when none does.

    Example:
        >>> import random
        >>> from harness.mocks.misbehaviours import Silent
        >>> script = Script((When(Silent(), first=2, last=2),))
        >>> rng = random.Random(0)
        >>> calls = [Call(method="m", params={}, number=n, rng=rng) for n in (1, 2, 3)]
        >>> [script.plan(call).outcome.value for call in calls]
        ['ok', 'silent', 'ok']
    """

    lines: tuple[When, ...]
    otherwise: Behaviour = field(default_factory=Echo)

    def plan(self, call: Call) -> Plan:
        """The plan of the first line that matches."""
        for line in self.lines:
            if line.matches(call):
                return line.do.plan(call)
        return self.otherwise.plan(call)

    @property
    def answers_ping(self) -> bool:
        """As the behaviour for all other calls."""
        return self.otherwise.answers_ping


def _check_odds(odds: float) -> None:
    if not 0 <= odds <= 1:
        raise UsageError(f"odds lie between 0 and 1, found {odds!r}")
