"""What a scenario may say to this driver: keys of ``target`` and ``topology.scheduler``, arguments of operations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from harness.models import cron_fields, zones
from harness.scenario.misfit import Misfit
from harness.scenario.values import Duration
from harness.scenario.vocabulary import NOT_BESIDE

V = TypeVar("V")

Call = str
_MAKERS: JsonDict = {NOT_BESIDE: ["factory"]}


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApschedulerTargetOptions(_Options):
    """Further keys of ``target:``."""

    factory: str = Field(default="", pattern=r"^$|^[\w.]+:[\w.]+$")
    """Who makes the scheduler, as ``package.module:function``: called without arguments, or with the folder where a
    store may lie if it takes one; must return a new `AsyncScheduler`, each time the scheduler is started. One with
    a durable store needs a fixed ``identity``: else a start after a kill waits until the lease of what it held is over.
    Beside it ``topology.scheduler`` takes ``durable`` and ``misfire_grace`` alone; without it the keys of
    ``topology.scheduler`` make the scheduler.
    """
    host: Literal["process", "thread"] = "process"
    """Where it lives. A thread of this process starts at once and cannot be killed."""


class ApschedulerOptions(_Options):
    """Keys of ``topology.scheduler``; durations with a unit. Those that make the scheduler are refused beside a
    factory, which makes it: there only ``durable`` and ``misfire_grace`` are taken.
    """

    store: Literal["memory", "sqlite"] = Field(default="memory", json_schema_extra=_MAKERS)
    """Where schedules and jobs are kept; ``sqlite`` needs SQLAlchemy and aiosqlite. Not beside ``factory``."""
    durable: bool | None = None
    """Whether schedules survive the end of the process. When left out, the data store of the scheduler that was made
    tells: those in a `MemoryDataStore` or in SQLite's ``:memory:`` do not, all others do.
    """
    identity: str = Field(default="scheduler", json_schema_extra=_MAKERS)
    """The scheduler's identity; a stable one finds its own abandoned jobs again at its next start. Not beside
    ``factory``.
    """
    lease: Duration = Field(default=30.0, gt=0, json_schema_extra=_MAKERS)
    """How long schedules and jobs stay acquired without renewal. Not beside ``factory``."""
    max_jobs: int = Field(default=100, gt=0, json_schema_extra=_MAKERS)
    """Jobs that run at once. Not beside ``factory``: its scheduler's ``max_concurrent_jobs`` is what is modelled."""
    misfire_grace: Duration | None = Field(default=None, ge=0)
    """What schedules that give none of their own allow; beside ``factory`` too."""
    cleanup: Duration = Field(default=900.0, ge=0, json_schema_extra=_MAKERS)
    """Seconds between clean-ups; 0s: none. Not beside ``factory``."""
    connections: int = Field(default=1, gt=0, json_schema_extra=_MAKERS)
    """Connections to SQLite at most; with several APScheduler meets its own locks (agronholm/apscheduler#1032). Not
    beside ``factory``.
    """


def _that_exists(reads: Callable[[V], object], expected: str = "") -> AfterValidator:
    """Refuse what `reads` cannot read: a trigger that does not exist would only make its call fail, in the run."""

    def check(value: V) -> V:
        try:
            reads(value)
        except Misfit:
            raise
        except ValueError as error:
            raise Misfit(str(error), expected=expected) from None
        return value

    return AfterValidator(check)


def _read_cron(cron: str | dict[str, str | int]) -> None:
    if isinstance(cron, str):
        cron_fields.parse(cron_fields.crontab(cron))
        return
    for name, value in cron.items():
        try:
            cron_fields.parse({name: value})
        except ValueError as error:
            raise Misfit(str(error), found=value, at=(name,), key=name not in cron_fields.ORDER) from None


def _read_instant(at: str) -> None:
    try:
        offset = datetime.fromisoformat(at).tzinfo
    except ValueError:
        raise ValueError("not an instant") from None
    if offset is None:
        raise ValueError("an instant needs an offset")


Instant = Annotated[str, _that_exists(_read_instant, "ISO 8601 with an offset, such as 2027-03-01T12:00:00Z")]
Cron = Annotated[str | dict[str, str | int], _that_exists(_read_cron)]
Zone = Annotated[str, _that_exists(zones.zone)]
TimeOfDay = Annotated[
    str, Field(pattern=r"^\d{2}:\d{2}:\d{2}$"), _that_exists(time.fromisoformat, "a time of day, HH:MM:SS")
]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), _that_exists(date.fromisoformat, "a date, YYYY-MM-DD")]


class TriggerArgs(_Options):
    """One trigger: one of ``every``, ``at``, ``cron``, ``calendar``, ``all_of``, ``any_of``, or ``after`` alone."""

    every: Duration | None = Field(default=None, gt=0)
    """An interval; first fires at once, or after ``after``."""
    after: Duration | None = Field(default=None, ge=0)
    """Fire once so long after now; beside another trigger: how long after now that begins."""
    at: Instant | None = None
    """Fire once at this time, as ISO 8601 with an offset."""
    cron: Cron | None = None
    """A crontab line of five words, or fields by name."""
    calendar: CalendarArgs | None = None
    """An interval of whole days at one time of day."""
    all_of: tuple[TriggerArgs, ...] = ()
    """Fire when all of these agree within ``threshold``."""
    any_of: tuple[TriggerArgs, ...] = ()
    """Fire when any of these does."""
    threshold: Duration = Field(default=1.0, ge=0)
    zone: Zone = "UTC"
    """Time zone of ``cron`` and ``calendar``."""
    until: Duration | None = Field(default=None, gt=0)
    """Seconds from now after which ``every`` and ``cron`` fire no more."""

    @model_validator(mode="after")
    def _one_trigger(self) -> TriggerArgs:
        kinds = [self.every, self.at, self.cron, self.calendar, self.all_of or None, self.any_of or None]
        given = sum(kind is not None for kind in kinds)
        if given > 1 or (given == 0 and self.after is None):
            raise ValueError("a trigger is one of `every`, `at`, `after`, `cron`, `calendar`, `all_of`, `any_of`")
        return self


class CalendarArgs(_Options):
    """A calendar interval: how far apart the days are, and the time of day as ``HH:MM:SS``."""

    years: int = Field(default=0, ge=0)
    months: int = Field(default=0, ge=0)
    weeks: int = Field(default=0, ge=0)
    days: int = Field(default=0, ge=0)
    time: TimeOfDay = "00:00:00"
    start_date: Day | None = None

    @model_validator(mode="after")
    def _goes_on(self) -> CalendarArgs:
        if not (self.years or self.months or self.weeks or self.days):
            raise Misfit("the next day is no day later", expected="some of `years`, `months`, `weeks`, `days`")
        return self


class AddTriggeredArgs(TriggerArgs):
    """``schedule.add``: run a task whenever a trigger says so. Each schedule is a task of its own."""

    id: str | None = None
    """Name of the schedule; s1, s2, … when left out."""
    call: Call = "tick"
    """What to run: one of the driver's tasks, of which there is a table (``tick``, ``work``, ``echo``, ``sleep``,
    ``block``, ``fail``), or ``package.module:function``.
    """
    params: dict[str, Any] = {}
    """Keyword arguments of the call."""
    executor: str | None = None
    """The job executor: ``async`` runs it on the scheduler's event loop, which a function that is no coroutine blocks,
    ``threadpool`` in a thread. When left out the scheduler's own choice: ``async``, unless a factory's scheduler has
    another.
    """
    coalesce: Literal["earliest", "latest", "all"] = "latest"
    misfire_grace: Duration | None = Field(default=None, ge=0)
    max_running: int | None = Field(default=1, gt=0)
    jitter: Duration = Field(default=0.0, ge=0)
    paused: bool = False
    conflict: Literal["do_nothing", "replace", "exception"] = "do_nothing"


class ScheduleArgs(_Options):
    """``schedule.pause``, ``schedule.remove``: which schedule."""

    id: str


class ResumeArgs(ScheduleArgs):
    """``schedule.resume``: which schedule, and what becomes of the times it missed."""

    skip: bool = False
    """Leave out what was missed (APScheduler's ``resume_from="now"``); else it is dealt with as ``coalesce`` says."""


class JobArgs(_Options):
    """``job.submit`` (answered with the job's id at once) and ``job.run`` (answered when it is done)."""

    call: Call = "work"
    """What to run, as for a schedule."""
    params: dict[str, Any] = {}
    executor: str | None = None
    """The job executor, as for a schedule."""
    max_running: int | None = Field(default=None, gt=0)


class DownArgs(_Options):
    """``scheduler.restart``, ``scheduler.kill``: for how long it is down; a kill without it lasts until
    ``scheduler.start``.
    """

    down: Duration | None = Field(default=None, ge=0)


class NoArgs(_Options):
    """An operation without arguments."""


TriggerArgs.model_rebuild()
AddTriggeredArgs.model_rebuild()
