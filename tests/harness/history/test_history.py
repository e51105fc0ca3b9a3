"""Histories, in memory and in their file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.history.history import History, HistoryError, encode_line, remedy
from harness.history.records import (
    AnyRecord,
    Audit,
    Drop,
    Edge,
    Event,
    Execution,
    Fault,
    FaultEvent,
    Header,
    Job,
    Operation,
    Phase,
    PhaseName,
    Process,
    ProcessEvent,
    Sample,
    Status,
    Step,
)

TIMES = st.floats(min_value=-1e6, max_value=1e6).map(lambda seconds: round(seconds, 6))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DETAIL = st.dictionaries(TEXT, st.integers(-(2**53), 2**53) | TEXT | st.booleans() | st.none(), max_size=3)

RECORDS: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(Phase, at=TIMES, name=st.sampled_from(PhaseName), edge=st.sampled_from(Edge), detail=TEXT),
    st.builds(
        Operation,
        at=TIMES,
        id=st.integers(0, 9),
        workload=TEXT,
        op=TEXT,
        place=TEXT,
        intended=TIMES,
        start=TIMES,
        end=TIMES,
        status=st.sampled_from(Status),
        ref=TEXT,
        error=TEXT,
        measured=st.booleans(),
    ),
    st.builds(Drop, at=TIMES, workload=TEXT, intended=TIMES, measured=st.booleans()),
    st.builds(
        Execution,
        at=TIMES,
        handler=TEXT,
        request_id=TEXT,
        method=TEXT,
        start=TIMES,
        end=st.none() | TIMES,
        outcome=TEXT,
        pid=st.integers(0, 99),
    ),
    st.builds(Job, at=TIMES, job_id=TEXT, handler=TEXT, method=TEXT, started=st.none() | TIMES, outcome=TEXT),
    st.builds(
        Fault, at=TIMES, id=TEXT, kind=TEXT, event=st.sampled_from(FaultEvent), place=TEXT, detail=DETAIL
    ),
    st.builds(
        Process,
        at=TIMES,
        name=TEXT,
        pid=st.integers(0, 99),
        event=st.sampled_from(ProcessEvent),
        code=st.none() | st.integers(-9, 9),
    ),
    st.builds(Sample, at=TIMES, name=TEXT, value=TIMES, place=TEXT),
    st.builds(
        Audit,
        at=TIMES,
        name=TEXT,
        scope=TEXT,
        looked_at=st.integers(0, 9),
        found=st.lists(DETAIL, max_size=2).map(tuple),
    ),
    st.builds(Event, at=TIMES, name=TEXT, place=TEXT, detail=DETAIL),
    st.builds(
        Step,
        at=TIMES,
        cycle=st.integers(0, 9),
        step=TEXT,
        start=TIMES,
        end=TIMES,
        status=st.sampled_from(Status),
        detail=DETAIL,
    ),
)


def sample(at: float, value: float = 0.0) -> Sample:
    """A number of descriptors."""
    return Sample(at=at, name="fds", value=value)


@given(st.lists(RECORDS, max_size=12), st.integers(0, 2**31))
def test_a_history_written_and_read_back_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, records: list[AnyRecord], seed: int
) -> None:
    """Every kind of record survives the file, byte for byte on the second writing."""
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    history = History(Header(scenario="demo", seed=seed, world="real"), records)

    history.write(path)
    again = History.read(path)

    assert again == history
    assert again.dumps() == path.read_bytes() == history.dumps()


def test_records_are_in_order_of_time_and_equal_times_keep_their_order() -> None:
    """Sorting is stable, so that what was appended first at an instant stays first."""
    history = History(Header(), [sample(2.0, 1), sample(1.0, 2), sample(2.0, 3), sample(1.0, 4)])

    assert [record.value for record in history.of(Sample)] == [2, 4, 1, 3]


def test_a_line_of_a_history_reads_like_this() -> None:
    """The file format is fixed: the type first, then the fields in their order, keys of details sorted."""
    event = Event(at=1.5, name="efsm-raised", place="scheduler.req", detail={"z": 1, "a": Path("x")})

    expected = (
        b'{"type":"event","at":1.5,"name":"efsm-raised","place":"scheduler.req","detail":{"a":"x","z":1}}\n'
    )
    assert encode_line(event) == expected


def test_an_object_in_a_detail_is_told_without_its_address() -> None:
    """Details never hold anything that differs between two runs of one seed."""
    event = Event(at=0.0, name="x", detail={"error": ValueError("no"), "thing": object()})

    assert b'{"error":"ValueError: no","thing":"<object>"}' in encode_line(event)


def test_a_torn_last_line_is_skipped_and_counted(tmp_path: Path) -> None:
    """A harness that was killed while writing leaves a history that can be read."""
    path = tmp_path / "history.jsonl"
    whole = History(Header(), [sample(1.0), sample(2.0)]).dumps()
    path.write_bytes(whole[:-20])

    history = History.read(path)

    assert history.torn == 1
    assert history.records == (sample(1.0),)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        (b"", ":1:", "expected the header"),
        (b'{"type":"sample","at":1,"name":"x","value":1}\n', ":1:", "expected the header"),
        (b'{"type":"header","version":2}\n', ":1:", "use a newer harness"),
        (
            b'{"type":"header"}\n{"type":"sam\n{"type":"sample","at":1,"name":"x","value":1}\n',
            ":2:",
            "expected a record",
        ),
        (b'{"type":"header"}\n{"type":"dream","at":1}\n', ":2:", "dream"),
        (b'{"type":"header"}\n{"type":"sample","at":1}\n', ":2:", "expected a record"),
    ],
)
def test_a_file_that_is_no_history_is_refused_with_its_line(
    tmp_path: Path, text: bytes, where: str, expected: str
) -> None:
    """Only a torn end is forgiven: damage anywhere else, and records of unknown type, name file and line."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(text)

    with pytest.raises(HistoryError) as caught:
        History.read(path)

    assert f"history.jsonl{where}" in str(caught.value)
    assert expected in str(caught.value)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    """A path that does not exist is a user's mistake, told without a traceback's words."""
    with pytest.raises(HistoryError, match=r"nowhere\.jsonl: cannot read the history: No such file"):
        History.read(tmp_path / "nowhere.jsonl")


def _phase(at: float, name: PhaseName, edge: Edge) -> Phase:
    return Phase(at=at, name=name, edge=edge)


@pytest.mark.parametrize(
    ("records", "span", "duration"),
    [
        ([], None, 0.0),
        ([_phase(1.0, PhaseName.RUN, Edge.BEGIN), _phase(7.5, PhaseName.RUN, Edge.END)], (1.0, 7.5), 6.5),
        ([_phase(1.0, PhaseName.RUN, Edge.BEGIN), sample(4.0)], (1.0, 4.0), 3.0),
        ([_phase(1.0, PhaseName.SETUP, Edge.BEGIN), _phase(2.0, PhaseName.SETUP, Edge.END)], None, 0.0),
    ],
)
def test_a_phase_lasts_from_its_begin_to_its_end_or_to_the_last_record(
    records: list[Any], span: tuple[float, float] | None, duration: float
) -> None:
    """A run that was cut off has a run phase too, and one that never began has none."""
    history = History(Header(), records)

    assert history.phase(PhaseName.RUN) == span
    assert history.duration == duration


def test_operations_are_found_by_their_workload() -> None:
    """All operations, those of one workload, and none of a workload that did nothing."""
    one = Operation(
        at=1, id=1, workload="a", op="job.submit", place="", intended=0, start=0, end=1, status=Status.OK
    )
    two = Operation(
        at=2, id=2, workload="b", op="job.submit", place="", intended=0, start=0, end=1, status=Status.OK
    )
    history = History(Header(), [two, one])

    assert history.operations() == (one, two)
    assert history.operations("b") == (two,)
    assert history.operations("c") == ()


def test_a_history_that_cannot_be_written_leaves_no_half_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk runs full in the middle: what was begun beside the file is gone, the file is as it was."""
    path = tmp_path / "history.jsonl"
    path.write_text("as it was")
    write = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        History(Header(scenario="demo")).write(path)

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("history.jsonl", "as it was")]


def test_what_can_be_done_about_a_file_that_cannot_be_written_is_told() -> None:
    """A full disk is not a place that is forbidden."""
    assert remedy(OSError(errno.EDQUOT, "")) == "; make room there, or choose another disk with --report DIR"
    assert remedy(PermissionError(errno.EACCES, "")) == "; choose another place with --report DIR"
