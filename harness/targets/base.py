"""The system under test behind one protocol.

A driver turns a `Scenario` into a `Target`; the runner, the workload and the faults know nothing but this protocol. All
times are seconds. Nothing here is specific to the real or to the simulated world.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from harness.history.records import AnyRecord, Status

if TYPE_CHECKING:
    import random

    from pydantic import BaseModel

    from harness.history.recorder import Recorder
    from harness.scenario.model import Scenario, World


class PlaceKind(StrEnum):
    """What can be pointed at by a fault's ``where``."""

    PROCESS = "process"
    HANDLER = "handler"
    SOCKET = "socket"
    STORE = "store"


class StopHow(StrEnum):
    """How a target is told to end: by which signal, or by an order to whoever takes orders there. What takes none
    gets TERM instead.
    """

    TERM = "term"
    INT = "int"
    QUIT = "quit"
    KILL = "kill"
    ORDER = "order"


@dataclass(frozen=True)
class Place:
    """One thing in the target that a fault can act on.

    ``name`` is unique within its kind: ``h1``, ``scheduler``, ``governor``, ``scheduler.req``, ``store``. ``group`` is
    the word a counting selector uses (``{handlers: 2}``). ``pid`` belongs to process and handler places, ``path`` to
    stores, and
    ``control`` is the address of the agent inside the process, where there is one (see `harness.agent`). ``supervised``
    is a process that nobody within the target starts again, such as a governor: the harness does, as systemd would.
    """

    kind: PlaceKind
    name: str
    group: str = ""
    pid: int = 0
    started: float = 0.0
    path: Path | None = None
    control: str = ""
    supervised: bool = False
    handle: Any = None
    """The live object, where the place lies in this process (a `zmq.Socket`, a `MockHandler`)."""


@dataclass(frozen=True)
class Reply:
    """What the target answered to one operation.

    `Status.INFO` when it is not known whether it took effect (time-out, broken connection after the request was sent).
    """

    status: Status
    ref: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpSpec:
    """One operation that a workload may name: its arguments as a pydantic model, and one line of help."""

    name: str
    about: str
    args: type[BaseModel]


@dataclass(frozen=True)
class PartEnd:
    """How one process ended that the target's main process kept and was to end.

    ``code`` is its exit code (negative: the signal that ended it; None: nobody saw it), ``after`` the seconds from the
    request. ``forced`` is empty when it ended by itself, else what was done to it, such as ``killed``; ``hurried`` when
    that was asked for, by a second signal. ``ready`` is whether it had come up and so could hear a signal at all.
    """

    code: int | None
    forced: str = ""
    hurried: bool = False
    ready: bool = True
    after: float = 0.0


@dataclass(frozen=True)
class StopResult:
    """How a stop went: seconds it took, the exit code of the target's main process (negative: signal), whether
    force was needed, and how each process ended that the main one kept, where that is known."""

    took: float
    code: int | None
    forced: bool
    parts: Mapping[str, PartEnd] = field(default_factory=dict)


class Target(Protocol):
    """A system under test that is about to run, runs, or has run."""

    async def start(self) -> None:
        """Start everything and return when it is ready; raises `harness.errors.NeverReady` with what was waited for."""

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """Tell it to end and wait, `timeout` seconds at most, then force it. Stopping what is stopped does nothing.

        The signal is sent `times` times in quick succession, as impatient operators and supervisors do; orders come at
        once, as from people who do not know of each other.
        """

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Make one operation. Never raises for what the target does: that is the `Reply`."""

    def places(self) -> Sequence[Place]:
        """Everything a fault can point at, as it is right now (processes change when they are restarted)."""

    async def probe(self) -> Mapping[str, float]:
        """Numbers as they are right now: at least ``registered-handlers`` and ``backlog``; empty when nothing
        answers."""

    async def add_handler(self, name: str) -> None:
        """Start one handler that the topology names; returns when it is registered."""

    async def remove_handler(self, name: str) -> None:
        """Stop one handler and forget it; returns when it is gone."""

    async def restart_handler(self, name: str) -> None:
        """Stop and start one handler; returns when it is registered again."""

    async def collect(self) -> Iterable[AnyRecord]:
        """What the system and its handlers themselves recorded (`Job`, `Execution`, `Event`, `Process`): asked once,
        before the stop."""

    async def collect_files(self) -> Iterable[AnyRecord]:
        """Records that are only complete after the stop (the handlers' own files)."""

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Look for what should be gone; waits up to `timeout` for it to go. Called when stopped."""

    async def close(self) -> None:
        """End everything by force if need be and release what this object holds; safe to call twice.

        Raises `TargetError` when something stays, after having released all the rest.
        """


@dataclass(frozen=True)
class TargetContext:
    """What a driver gets to build a target with: the folder of the run, its random stream, and where to record."""

    run_dir: Path
    rng: random.Random
    recorder: Recorder
    mutant: str = ""


class Driver(Protocol):
    """A kind of target, registered by name (entry-point group ``harness.targets``)."""

    name: ClassVar[str]
    about: ClassVar[str]
    worlds: ClassVar[tuple[World, ...]]
    options: ClassVar[type[BaseModel]]
    """Extra keys of ``target:`` that this driver knows."""
    scheduler_options: ClassVar[type[BaseModel]]
    """Keys of ``topology.scheduler``."""
    handler_options: ClassVar[type[BaseModel] | None]
    """Further keys of ``topology.handlers``, None when there are none."""
    places: ClassVar[Mapping[str, PlaceKind]]
    """What a fault may point at besides the handlers, by name; no handler can be called so, nor like one of
    ``reserved``, a tuple of further names that a driver may have."""
    ops: ClassVar[Mapping[str, OpSpec]]
    methods: ClassVar[tuple[str, ...]]
    """What the handlers can be asked for that the driver makes itself (``mock: worker`` without a class of its own);
    empty: not checked."""

    def require_mutant(self, name: str) -> None:
        """Raise `harness.errors.UsageError` unless the target can be broken on purpose in the way called `name`."""

    def parts(self) -> Sequence[Any]:
        """What a simulated world must hold for this kind of target besides what every world holds (see
        `harness.sim.world.Part`); usually nothing."""

    def create(self, scenario: Scenario, context: TargetContext) -> Target:
        """Make the target of one run. Starts nothing yet."""
