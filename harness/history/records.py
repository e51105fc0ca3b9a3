"""The kinds of record a history is made of.

Every record is immutable and carries ``at``: scenario time in seconds (µs resolution), the moment it was
appended. Scenario time 0 is the first instant of the ``run`` phase; setup lies before it, at negative times. In
JSON Lines each record is one object whose ``type`` names its class. Nothing here depends on wall time, so that
two runs of one seed in the simulated world are equal byte for byte.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Status(StrEnum):
    """How an operation ended, in Jepsen's words: `info` means nobody can know whether it took effect."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class PhaseName(StrEnum):
    """The phases of one run, in order."""

    SETUP = "setup"
    STEADY = "steady"
    RUN = "run"
    SETTLE = "settle"
    TEARDOWN = "teardown"


class Edge(StrEnum):
    """Whether a phase begins or ends."""

    BEGIN = "begin"
    END = "end"


NOT_IN_SWARM = "not in the swarm of this seed"
"""The ``reason`` of a skipped fault that the seed left out on purpose; any other leaves something unproven."""


class FaultEvent(StrEnum):
    """A fault's life: armed -> injected -> healed; `failed` and `skipped` say why in ``detail``."""

    ARMED = "armed"
    INJECTED = "injected"
    HEALED = "healed"
    FAILED = "failed"
    SKIPPED = "skipped"


class MetBy(StrEnum):
    """What has to come by for an injected fault to strike; in the ``detail`` of its injection as ``met_by``."""

    NOTHING = ""
    """It strikes by itself: a process that is killed is dead."""
    CALLS = "calls"
    """A call of the handler: a handler that would be silent has to be called."""
    USE = "use"
    """A use of the socket; the agent notes it as the event ``fault-struck``."""
    UNTOLD = "untold"
    """Work that leaves no trace: a writer that waited for the lock of a store looks like one that was slow."""


class RestartedBy(StrEnum):
    """Who started again a process that a fault had ended; in the ``detail`` of its heal as ``by``."""

    GOVERNOR = "its governor"
    SUPERVISOR = "its supervisor"
    """The harness in its place: a governor has no governor, and nobody supervises one in a run."""
    HARNESS = "the harness"
    """Nobody did in time, who should have."""


class ProcessEvent(StrEnum):
    """What happened to a process of the target."""

    STARTED = "started"
    READY = "ready"
    EXITED = "exited"


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of all records; ``at`` is scenario time in seconds."""

    at: float


class Phase(Record, frozen=True, kw_only=True, tag="phase"):
    """A phase of the run begins or ends."""

    name: PhaseName
    edge: Edge
    detail: str = ""


class Operation(Record, frozen=True, kw_only=True, tag="operation"):
    """One call that the workload made of the target; latency counts from ``intended``, never from ``start``.

    ``ref`` is what the target answered with (a job id, a schedule id). ``measured`` is False during warm-up
    stages. ``params`` is the digest of the parameters that it asked a handler to be called with, empty if it did not.
    """

    id: int
    workload: str
    op: str
    place: str
    intended: float
    start: float
    end: float
    status: Status
    ref: str = ""
    error: str = ""
    measured: bool = True
    params: str = ""


class Drop(Record, frozen=True, kw_only=True, tag="drop"):
    """An open-loop arrival that was not sent because too many calls were in flight; counted, never hidden."""

    workload: str
    intended: float
    measured: bool = True


class Execution(Record, frozen=True, kw_only=True, tag="execution"):
    """One run of a method inside a handler, as the handler itself saw it.

    ``request_id`` equals the job id. ``end`` is None when the handler never finished it (killed, or silent).
    ``outcome`` is ``ok``, ``error``, ``silent`` or empty when unknown. ``params`` and ``result`` are digests of
    what the method was given and answered, empty where the handler did not tell.
    """

    handler: str
    request_id: str
    method: str
    start: float
    end: float | None = None
    outcome: str = ""
    pid: int = 0
    params: str = ""
    result: str = ""


class Job(Record, frozen=True, kw_only=True, tag="job"):
    """One job as the scheduler's own log has it at the end of the run; times are scenario time.

    ``outcome`` is empty while the scheduler has recorded none. ``scheduled_for`` is None for jobs submitted
    directly. ``result`` is the digest of the stored result, empty without one.
    """

    job_id: str
    handler: str
    method: str
    schedule_id: str = ""
    scheduled_for: float | None = None
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    outcome: str = ""
    error: str = ""
    result: str = ""


class Fault(Record, frozen=True, kw_only=True, tag="fault"):
    """Something in the life of one fault. ``place`` is what the selector resolved to."""

    id: str
    kind: str
    event: FaultEvent
    place: str = ""
    detail: dict[str, Any] = {}


class Process(Record, frozen=True, kw_only=True, tag="process"):
    """Something in the life of one process of the target; ``code`` is its exit code, negative for a signal."""

    name: str
    pid: int
    event: ProcessEvent
    code: int | None = None


class Sample(Record, frozen=True, kw_only=True, tag="sample"):
    """A number observed during the run: ``registered-handlers``, ``backlog``, ``rss`` (bytes), ``fds``."""

    name: str
    value: float
    place: str = ""


class Audit(Record, frozen=True, kw_only=True, tag="audit"):
    """What a search for left-overs found; an empty ``found`` is the proof that somebody looked.

    ``name`` is one of ``processes``, ``pidfiles``, ``ports``, ``sockets``, ``store``, ``files``; ``scope`` is
    ``final`` or ``cycle N``; ``looked_at`` counts the things examined, ``unseen`` says which could not be, and why.
    """

    name: str
    scope: str
    looked_at: int
    found: tuple[dict[str, Any], ...] = ()
    unseen: tuple[str, ...] = ()


class Event(Record, frozen=True, kw_only=True, tag="event"):
    """Something that a check may want to have seen, such as ``efsm-raised`` or ``handler-reregistered``."""

    name: str
    place: str = ""
    detail: dict[str, Any] = {}


class Step(Record, frozen=True, kw_only=True, tag="step"):
    """One step of one life cycle of a governor, such as ``start``, ``stop`` or ``remove h1``."""

    cycle: int
    step: str
    start: float
    end: float
    status: Status
    detail: dict[str, Any] = {}


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="type"):
    """The first line of a history file: which run this is. ``version`` is that of the file format."""

    version: int = 1
    scenario: str = ""
    seed: int = 0
    world: str = ""


AnyRecord = Phase | Operation | Drop | Execution | Job | Fault | Process | Sample | Audit | Event | Step
