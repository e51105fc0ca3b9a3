"""What a fault is: something that can be injected at a place, and healed.

One kind of fault is one small module beside this one. It reaches the bad state by the genuine road and never by
raising a made-up exception inside the code under test. ``with`` injects and heals; healing never raises for a
place that is gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from harness.history.records import MetBy
from harness.scenario.model import When, World
from harness.targets.base import Place, PlaceKind


class Args(BaseModel):
    """Base of a fault kind's arguments: unknown keys are refused, each field has a unit and a range; they
    become the JSON Schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoArgs(Args):
    """A kind without arguments."""


ArgsT = TypeVar("ArgsT", bound=Args)


class Surroundings(Protocol):
    """What a fault may ask of the run around it. Alone, in a test, `Alone` stands in."""

    @property
    def run_tag(self) -> str:
        """The value of ``HARNESS_RUN`` in the environment of every process that belongs to this run; empty:
        none does.
        """

    @property
    def allowed(self) -> Sequence[str]:
        """Names or globs of places that may be touched although they belong to nobody's run."""

    def places(self) -> Sequence[Place]:
        """The target's places as they are right now."""

    def restart(self, place: Place, *, timeout: float) -> None:
        """Have the target start a process again that nobody else restarted; blocks until it is ready, raises
        `FaultError`.
        """


RUN_TAG = "HARNESS_RUN"
"""The environment variable that marks the processes of a run."""


@dataclass(frozen=True)
class Alone:
    """Surroundings of a fault that is used without a target: nothing else exists, nothing can be restarted."""

    run_tag: str = ""
    allowed: tuple[str, ...] = ()

    def places(self) -> Sequence[Place]:
        """No places."""
        return ()

    def restart(self, place: Place, *, timeout: float) -> None:
        """Do nothing: whoever started the process in the test starts it again."""


class Fault(ABC, Generic[ArgsT]):
    """One fault at one place.

    `inject` and `heal` run in a worker thread, may block for as long as `deadline` (seconds) allows, and return
    details for the history. `heal` is called exactly once after a successful `inject`, whatever happens in
    between.
    """

    kind: ClassVar[str]
    about: ClassVar[str]
    worlds: ClassVar[tuple[World, ...]] = (World.REAL, World.SIM)
    accepts: ClassVar[tuple[PlaceKind, ...]]
    args_model: ClassVar[type[Args]] = NoArgs
    takes_trigger: ClassVar[bool] = False
    triggers: ClassVar[frozenset[str]] = frozenset()
    """For a kind with `takes_trigger`: the events inside the process that ``when`` may name."""
    """True when the kind itself waits for ``when`` inside the process (an agent counts there); else the runner
    does.
    """
    deadline: float = 15.0
    """Seconds that `inject` and `heal` may take each; a kind that has to wait longer sets it from its
    arguments.
    """

    def __init__(
        self,
        place: Place,
        args: ArgsT,
        *,
        fault_id: str = "",
        trigger: When | None = None,
        seed: int = 0,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.place = place
        self.args = args
        self.fault_id = fault_id or self.kind
        self.trigger = trigger
        self.seed = seed
        self.surroundings: Surroundings = surroundings or Alone()

    @classmethod
    def lasts(cls, args: ArgsT) -> float | None:
        """Seconds that the fault lasts by itself when no ``for`` is given; None: until the run ends.

        A kind that is over at once (a kill, a poisoned socket) returns a number: it is healed without being
        waited for.
        """
        return None

    @abstractmethod
    def inject(self) -> Mapping[str, Any]:
        """Reach the bad state; raises `harness.errors.FaultError` when it cannot be reached (then nothing is
        left to heal).
        """

    @abstractmethod
    def heal(self) -> Mapping[str, Any]:
        """Undo it. Idempotent; a place that is gone counts as healed."""

    @property
    def most_strikes(self) -> int | None:
        """How often an armed fault strikes at most; None: for as long as it is armed."""
        return None

    @property
    def met_by(self) -> MetBy:
        """What has to come by for it to strike, once it is injected."""
        return MetBy.NOTHING

    def strikes(self) -> Sequence[float]:
        """When an armed fault (see `takes_trigger`) has struck so far, by the machine-wide monotonic clock in
        seconds; nothing where that is only known when it is healed.
        """
        return ()

    def __enter__(self) -> Self:
        self.inject()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
