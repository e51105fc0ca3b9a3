"""Recording while a run goes on."""

from __future__ import annotations

import errno
import itertools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.history.history import History
from harness.history.recorder import Recorder, RecorderClosed
from harness.history.records import (
    AnyRecord,
    Edge,
    Event,
    Execution,
    Header,
    Job,
    Operation,
    Phase,
    PhaseName,
    Sample,
    Status,
    Step,
)
from harness.scenario.model import World


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Read it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that reads 1000 s."""
    return Clock(1000.0)


def test_scenario_time_counts_from_the_beginning_of_the_run(clock: Clock) -> None:
    """Before `begin_run` times count from the creation, afterwards from that call, to the microsecond."""
    recorder = Recorder(clock=clock)
    clock.now = 1002.5
    provisional = recorder.now()
    recorder.begin_run()
    clock.now = 1004.1234567

    assert provisional == 2.5
    assert recorder.now() == 1.623457
    assert recorder.to_scenario(1000.0) == -2.5


def test_what_was_recorded_before_the_run_lies_at_negative_times(clock: Clock) -> None:
    """All times of held records are shifted, and fields that are None stay None."""
    recorder = Recorder(clock=clock)
    recorder.append(Execution(at=1.0, handler="h1", request_id="a", method="m", start=1.0, end=None))
    recorder.append(
        Operation(
            at=3.0, id=1, workload="w", op="o", place="", intended=1.0, start=2.0, end=3.0, status=Status.OK
        )
    )
    recorder.append(Step(at=2.0, cycle=0, step="start", start=0.5, end=1.5, status=Status.OK))
    recorder.append(
        Job(at=3.5, job_id="a", handler="h1", method="m", scheduled_for=1.0, started=2.0, ended=3.0)
    )
    clock.now = 1004.0
    recorder.begin_run()

    execution, step, operation, job = recorder.close().records

    assert execution == Execution(at=-3.0, handler="h1", request_id="a", method="m", start=-3.0, end=None)
    assert isinstance(step, Step)
    assert (step.start, step.end) == (-3.5, -2.5)
    assert isinstance(operation, Operation)
    assert (operation.at, operation.intended, operation.start, operation.end) == (-1.0, -3.0, -2.0, -1.0)
    assert isinstance(job, Job)
    assert (job.scheduled_for, job.started, job.ended) == (-3.0, -2.0, -1.0)


def test_each_record_is_in_the_file_when_append_returns(tmp_path: Path, clock: Clock) -> None:
    """Nothing waits in a buffer of this process: a harness killed now would leave all of it."""
    path = tmp_path / "folder" / "history.jsonl"
    recorder = Recorder(path, clock=clock)
    recorder.header("demo", 7, World.SIM)
    recorder.event("early")
    clock.now = 1001.0
    held = path.exists()
    recorder.begin_run()
    recorder.sample("fds", 5.0, place="h1")

    assert not held
    assert path.read_text() == (
        '{"type":"header","version":1,"scenario":"demo","seed":7,"world":"sim"}\n'
        '{"type":"event","at":-1.0,"name":"early","place":"","detail":{}}\n'
        '{"type":"sample","at":0.0,"name":"fds","value":5.0,"place":"h1"}\n'
    )
    recorder.close()


def test_the_file_reads_back_as_what_close_returned(tmp_path: Path, clock: Clock) -> None:
    """Memory and file tell the same history, also when records came out of order."""
    path = tmp_path / "history.jsonl"
    recorder = Recorder(path, clock=clock)
    recorder.header("demo", 7, "real")
    recorder.begin_run()
    recorder.append(Event(at=5.0, name="late"))
    recorder.append(Event(at=1.0, name="early", detail={"a": 1}))

    history = recorder.close()

    assert [event.name for event in history.of(Event)] == ["early", "late"]
    assert History.read(path) == history
    assert recorder.close() is history


def test_a_recorder_that_never_began_keeps_everything_before_zero(tmp_path: Path, clock: Clock) -> None:
    """A run whose setup failed still leaves a readable history, all of it before time 0."""
    path = tmp_path / "history.jsonl"
    recorder = Recorder(path, clock=clock)
    recorder.event("setup")
    clock.now = 1003.0

    history = recorder.close()

    assert [record.at for record in history.records] == [-3.0]
    assert History.read(path) == history


def test_nothing_is_lost_between_threads(tmp_path: Path) -> None:
    """Eight threads that append at once leave every record, in the file and in memory."""
    path = tmp_path / "history.jsonl"
    recorder = Recorder(path)
    recorder.begin_run()
    ready = threading.Barrier(8)

    def work(number: int) -> None:
        ready.wait(timeout=10)
        for value in range(200):
            recorder.sample("n", value, place=str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    history = recorder.close()

    expected = sorted(itertools.product(map(str, range(8)), map(float, range(200))))
    assert sorted((sample.place, sample.value) for sample in history.of(Sample)) == expected
    assert History.read(path).records == history.records


def test_a_subscriber_sees_each_record_until_it_leaves() -> None:
    """Subscribers are told in the appending thread, and no more once they unsubscribed."""
    recorder = Recorder()
    seen: list[AnyRecord] = []
    unsubscribe = recorder.subscribe(seen.append)
    recorder.event("one")
    unsubscribe()
    recorder.event("two")

    assert [getattr(record, "name", "") for record in seen] == ["one"]


def test_a_subscriber_may_append_itself() -> None:
    """Subscribers are called outside the lock, so recording from one is no deadlock."""
    recorder = Recorder()

    def echo(record: AnyRecord) -> None:
        if isinstance(record, Sample):
            recorder.event("echo")

    recorder.subscribe(echo)
    recorder.sample("n", 1.0)

    assert len(recorder.close().of(Event)) == 1


def test_a_failing_subscriber_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever watches a run must not be able to break it."""
    recorder = Recorder()

    def broken(record: AnyRecord) -> None:
        raise RuntimeError("boom")

    recorder.subscribe(broken)
    with caplog.at_level(logging.ERROR):
        recorder.event("one")

    assert len(recorder.close().records) == 1
    assert "a subscriber of the history failed" in caplog.text
    assert "boom" in caplog.text


def test_a_record_after_the_end_is_refused_by_name() -> None:
    """A late record is an error that shows it, never silently lost."""
    recorder = Recorder()
    recorder.close()

    with pytest.raises(RecorderClosed, match=r"too late for Event.*lonely"):
        recorder.event("lonely")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda recorder: recorder.begin_run(),
        lambda recorder: recorder.header("demo", 1, "real"),
        lambda recorder: recorder.sample("n", float("nan")),
        lambda recorder: recorder.sample("n", float("inf")),
        lambda recorder: recorder.event("n", text="\ud800"),
        lambda recorder: recorder.phase_end(PhaseName.RUN),
    ],
)
def test_misuse_is_an_error_and_the_record_goes_on(misuse: Callable[[Recorder], Any], tmp_path: Path) -> None:
    """A second beginning, a late header, and what JSON cannot hold are refused without harm to the file."""
    recorder = Recorder(tmp_path / "history.jsonl")
    recorder.begin_run()

    with pytest.raises(HarnessError):
        misuse(recorder)
    recorder.event("fine")
    recorder.close()

    assert [event.name for event in History.read(tmp_path / "history.jsonl").of(Event)] == ["fine"]


def test_a_snapshot_is_what_there_is_so_far(clock: Clock) -> None:
    """A snapshot does not change when more is recorded."""
    recorder = Recorder(clock=clock)
    recorder.header("demo", 1, "real")
    recorder.begin_run()
    recorder.event("one")
    snapshot = recorder.snapshot()
    recorder.event("two")

    assert snapshot == History(Header(scenario="demo", seed=1, world="real"), [Event(at=0.0, name="one")])


def test_the_end_of_a_phase_can_be_asked_for(clock: Clock) -> None:
    """The last end of that phase counts, in scenario time."""
    recorder = Recorder(clock=clock)
    recorder.begin_run()
    for at in (1.0, 4.0):
        recorder.append(Phase(at=at, name=PhaseName.RUN, edge=Edge.END))

    assert recorder.phase_end(PhaseName.RUN) == 4.0


class _Full:
    """A file on a disk that is full: takes half of the first record, then refuses."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._room = 20

    def write(self, data: bytes) -> int:
        """Take what there is room for."""
        if self._room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part, self._room = bytes(data[: self._room]), 0
        return int(self._real.write(part))

    def close(self) -> None:
        """Close the real file."""
        self._real.close()


def test_a_full_disk_costs_nothing_once_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on in memory, and the whole file is written at the end, the torn line replaced."""
    path = tmp_path / "history.jsonl"
    recorder = Recorder(path)
    recorder.begin_run()
    recorder._file = _Full(recorder._file)  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR):
        recorder.event("one")
        recorder.event("two")

    history = recorder.close()

    assert caplog.text.count("No space left on device") == 1
    assert [event.name for event in History.read(path).of(Event)] == ["one", "two"]
    assert History.read(path).records == history.records


def test_a_file_that_cannot_be_written_at_all_is_an_error_in_the_end(tmp_path: Path) -> None:
    """When the second attempt fails too, closing says so, and the history is still there in memory."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    recorder = Recorder(blocker / "history.jsonl")
    recorder.begin_run()
    recorder.event("one")

    with pytest.raises(HarnessError, match=r"cannot write the history to .*history\.jsonl"):
        recorder.close()
    assert [event.name for event in recorder.close().of(Event)] == ["one"]
