"""The append-only record of a run while it goes on.

>>> recorder = Recorder()
>>> recorder.begin_run()
>>> recorder.event("efsm-raised", place="scheduler.req", how="double-send")
>>> [event.name for event in recorder.close().records]
['efsm-raised']
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from harness.errors import HarnessError
from harness.history.history import History, encode_line, remedy
from harness.history.records import AnyRecord, Edge, Event, Header, Phase, PhaseName, Sample

_LOG = logging.getLogger(__name__)
_TIMES = frozenset({"at", "intended", "start", "end", "scheduled_for", "started", "ended"})

Subscriber = Callable[[AnyRecord], None]


class RecorderClosed(HarnessError):
    """A record came after `Recorder.close`; it names what would have been lost."""


class Recorder:
    """Collects records from any thread, in memory and, with a `path`, in a JSON Lines file.

    Each record is on its way to the file when `append` returns (no user-space buffer), so that a harness that
    is killed leaves all but at most the last line. A file that can no longer be written (disk full) is logged
    once and told to `on_lost`, from the thread that appended; the record is kept in memory, and `close` tries to write
    the whole file again.

    `clock` gives seconds (default: the monotonic clock); scenario time 0 is when `begin_run` is called. What is
    appended before has provisional times, counted from the recorder's creation; they are shifted, and only then
    written. Take no time with `now` before `begin_run` for a record that is appended after it: keep the clock's own
    value and use `to_scenario`.
    """

    def __init__(
        self,
        path: Path | None = None,
        clock: Callable[[], float] | None = None,
        *,
        on_lost: Callable[[OSError], object] = lambda error: None,
    ) -> None:
        # Looked up now, not when this module is imported: a simulated world has a clock of its own.
        clock = self.clock = clock or time.monotonic
        self._path = path
        self._on_lost = on_lost
        self._zero = clock()
        self._lock = threading.Lock()
        self._header = Header()
        self._records: list[AnyRecord] = []
        self._began = False
        self._file: BinaryIO | None = None
        self._lost: OSError | None = None
        self._history: History | None = None
        self._subscribers: tuple[Subscriber, ...] = ()

    def now(self) -> float:
        """Scenario time in seconds, to the microsecond; provisional before `begin_run`."""
        return self.to_scenario(self.clock())

    def to_scenario(self, clock_value: float) -> float:
        """Scenario time in seconds of a value of the recorder's clock."""
        return round(clock_value - self._zero, 6)

    def header(self, scenario: str, seed: int, world: str) -> None:
        """Say which run this is: the first line of the file. Raises `HarnessError` once the run has begun."""
        with self._lock:
            if self._began or self._history is not None:
                raise HarnessError("the header must be given before begin_run(): the first line is written")
            name = world.value if isinstance(world, Enum) else world
            self._header = Header(scenario=scenario, seed=seed, world=name)

    def begin_run(self) -> None:
        """Make this instant scenario time 0, write what was held. Raises `HarnessError` when called twice."""
        with self._lock:
            if self._began or self._history is not None:
                raise HarnessError("begin_run() was called twice or after close(): there is one time 0")
            self._settle_zero()

    def append(self, record: AnyRecord) -> None:
        """Add one record; raises `RecorderClosed` after `close`, `HarnessError` for what JSON cannot hold."""
        if isinstance(record, Sample) and not math.isfinite(record.value):
            raise HarnessError(f"the sample {record.name!r} is {record.value}: expected a finite number")
        line = encode_line(record)
        with self._lock:
            if self._history is not None:
                raise RecorderClosed(f"the recorder is closed; too late for {record!r}")
            self._records.append(record)
            if self._began:
                self._write(line)
            subscribers = self._subscribers
        for subscriber in subscribers:
            _tell(subscriber, record)

    def event(self, name: str, place: str = "", **detail: Any) -> None:
        """Append an `Event` that happens now."""
        self.append(Event(at=self.now(), name=name, place=place, detail=detail))

    def sample(self, name: str, value: float, place: str = "") -> None:
        """Append a `Sample` taken now."""
        self.append(Sample(at=self.now(), name=name, value=value, place=place))

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have `subscriber` called with each further record, in the thread that appends it.

        Returns the function that ends that.

        An error in it is logged and goes no further: whoever watches a run must not change it.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(other for other in self._subscribers if other is not subscriber)

        return unsubscribe

    def snapshot(self) -> History:
        """What has been recorded so far; times are provisional before `begin_run`."""
        with self._lock:
            records = list(self._records)
        return History(self._header, records)

    def phase_end(self, name: PhaseName) -> float:
        """When the phase last ended, in scenario seconds. Raises `HarnessError` if it has not."""
        with self._lock:
            marks = [r for r in self._records if isinstance(r, Phase) and r.name is name and r.edge is Edge.END]
        if not marks:
            raise HarnessError(f"the phase {name.value} has not ended, so there is no time at which it did")
        return marks[-1].at

    def close(self) -> History:
        """End the record and return it; further calls return the same.

        If `begin_run` never came, this instant is time 0. Raises `HarnessError` when the file cannot be
        written.
        """
        with self._lock:
            if self._history is None:
                if not self._began:
                    self._settle_zero()
                self._history = History(self._header, self._records)
                self._close_file(self._history)
            return self._history

    def _settle_zero(self) -> None:
        zero = self.clock()
        shift, self._zero, self._began = zero - self._zero, zero, True
        self._records = [_shifted(record, shift) for record in self._records]
        self._open()
        self._write(b"".join(encode_line(record) for record in (self._header, *self._records)))

    def _open(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Held open for the life of the recorder; close() closes it.
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            self._give_up(error)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while self._file is not None and view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        kept = "it is kept in memory, and written at its end if it can be by then"
        _LOG.error("cannot write the history to %s: %s; %s", self._path, error, kept)
        self._lost = error
        if self._file is not None:
            self._file.close()
            self._file = None
        self._on_lost(error)

    def _close_file(self, history: History) -> None:
        if self._file is not None:
            self._file.close()
        if self._lost is None or self._path is None:
            return
        try:
            history.write(self._path)
        except OSError as error:
            first = "" if str(error) == str(self._lost) else f"; it first failed with: {self._lost}"
            raise HarnessError(f"cannot write the history to {self._path}: {error}{first}{remedy(error)}") from error


def _tell(subscriber: Subscriber, record: AnyRecord) -> None:
    try:
        subscriber(record)
    except Exception:  # noqa: BLE001 - whoever watches a run must not change it
        _LOG.exception("a subscriber of the history failed on %r", record)


def _shifted(record: AnyRecord, shift: float) -> AnyRecord:
    """The same record `shift` seconds earlier."""
    values = {name: getattr(record, name) for name in record.__struct_fields__ if name in _TIMES}
    moved = {name: round(value - shift, 6) for name, value in values.items() if value is not None}
    return msgspec.structs.replace(record, **moved)
