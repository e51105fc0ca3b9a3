"""What happened in one run, as an immutable sequence of records.

>>> from harness.history.records import Header, Sample
>>> late, early = Sample(at=2.0, name="fds", value=9.0), Sample(at=1.0, name="fds", value=8.0)
>>> history = History(Header(scenario="demo"), (late, early))
>>> [sample.value for sample in history.of(Sample)]
[8.0, 9.0]
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import HarnessError
from harness.history.records import AnyRecord, Edge, Header, Operation, Phase, PhaseName, Record

FORMAT_VERSION = 1
"""The version of the file format that this module writes, and the newest it reads."""

RecordT = TypeVar("RecordT", bound=Record)


class HistoryError(HarnessError):
    """A history file cannot be read; the message gives file:line, what was expected and what was found."""


@dataclass(frozen=True)
class History:
    """The records of one run in order of ``at``; records of equal time keep the order they were appended in.

    ``torn`` is 1 when the file's last line was cut off (the harness was killed while writing it), else 0.
    """

    header: Header
    records: tuple[AnyRecord, ...]
    torn: int = 0

    def __init__(self, header: Header, records: Iterable[AnyRecord] = (), torn: int = 0) -> None:
        object.__setattr__(self, "header", header)
        object.__setattr__(self, "records", tuple(sorted(records, key=lambda record: record.at)))
        object.__setattr__(self, "torn", torn)

    @cached_property
    def _by_type(self) -> dict[type[Record], tuple[Record, ...]]:
        grouped: dict[type[Record], list[Record]] = {}
        for record in self.records:
            grouped.setdefault(type(record), []).append(record)
        return {kind: tuple(found) for kind, found in grouped.items()}

    @cached_property
    def _by_workload(self) -> dict[str, tuple[Operation, ...]]:
        grouped: dict[str, list[Operation]] = {}
        for operation in self.of(Operation):
            grouped.setdefault(operation.workload, []).append(operation)
        return {workload: tuple(found) for workload, found in grouped.items()}

    def of(self, kind: type[RecordT]) -> tuple[RecordT, ...]:
        """All records of one class, in order of time."""
        return self._by_type.get(kind, ())  # type: ignore[return-value]  # grouped by exactly this class

    def operations(self, workload: str | None = None) -> tuple[Operation, ...]:
        """All operations, or those of one workload."""
        return self.of(Operation) if workload is None else self._by_workload.get(workload, ())

    def phase(self, name: PhaseName) -> tuple[float, float] | None:
        """When the phase began and ended, in seconds; None if it never began.

        A phase without an end (the run was cut off) ends with the last record.
        """
        marks = [phase for phase in self.of(Phase) if phase.name is name]
        begins = [phase.at for phase in marks if phase.edge is Edge.BEGIN]
        ends = [phase.at for phase in marks if phase.edge is Edge.END]
        return (begins[0], ends[-1] if ends else self.end) if begins else None

    @property
    def end(self) -> float:
        """Scenario time of the last record in seconds; 0 without records."""
        return self.records[-1].at if self.records else 0.0

    @property
    def duration(self) -> float:
        """Length of the ``run`` phase in seconds; 0 if it never began."""
        begin, end = self.phase(PhaseName.RUN) or (0.0, 0.0)
        return end - begin

    @classmethod
    def read(cls, path: Path) -> History:
        """The history in a JSON Lines file; raises `HistoryError` for what is not one."""
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise HistoryError(f"{path}: cannot read the history: {error.strerror or error}") from error
        while lines and not lines[-1].strip():
            lines.pop()
        return cls(_read_header(path, lines[0] if lines else b""), *_read_records(path, lines))

    def dumps(self) -> bytes:
        """The history as JSON Lines, header first, in order of time; equal histories give equal bytes."""
        return b"".join(encode_line(record) for record in (self.header, *self.records))

    def write(self, path: Path) -> None:
        """Write `dumps` to a file, all or nothing; raises OSError, and then leaves no half of it."""
        beside = path.with_name(path.name + ".part")
        try:
            beside.write_bytes(self.dumps())
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def remedy(error: OSError) -> str:
    """What whoever runs the harness can do about a file of its reports that cannot be written, to follow the error.

    >>> remedy(OSError(errno.ENOSPC, "No space left on device"))
    '; make room there, or choose another disk with --report DIR'
    """
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"; {'make room there, or choose another disk' if full else 'choose another place'} with --report DIR"


def _read_header(path: Path, line: bytes) -> Header:
    try:
        header = _HEADER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HistoryError(
            f"{path}:1: expected the header of a history, found {_short(line)}: {error}"
        ) from error
    if header.version > FORMAT_VERSION:
        raise HistoryError(
            f"{path}:1: the history has format {header.version}, this harness reads up to {FORMAT_VERSION}: "
            "use a newer harness"
        )
    return header


def _read_records(path: Path, lines: list[bytes]) -> tuple[list[AnyRecord], int]:
    records: list[AnyRecord] = []
    decode = _RECORD.decode
    for number, line in enumerate(lines[1:], start=2):
        try:
            records.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number == len(lines) and not isinstance(error, msgspec.ValidationError):
                return records, 1
            raise HistoryError(f"{path}:{number}: expected a record, found {_short(line)}: {error}") from error
    return records, 0


def _short(line: bytes) -> str:
    text = line.decode(errors="replace")
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _plain(value: object) -> object:
    """What JSON has no word for, told without anything that differs between two runs (such as an address)."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return str(value) if isinstance(value, Path) else f"<{type(value).__name__}>"


def encode_line(record: Header | AnyRecord) -> bytes:
    """One line of a history file, newline included; equal records give equal bytes.

    Raises `HarnessError` for a record that could not be read back.
    """
    try:
        return _ENCODER.encode(record) + b"\n"
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise HarnessError(f"a record cannot be written as JSON: {error}; it is {record!r}") from error


# Stateless, so shared by all histories; sorted keys make equal details equal bytes.
_ENCODER = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
_HEADER = msgspec.json.Decoder(Header)
_RECORD: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
