"""The disk of the simulated machine: what can be wrong with it, what a loss of power takes.

Files are real. A fault says where it holds (a file or a folder) and is asked before files are opened, before bytes go
from or to them (``os.read``, ``os.pwrite``; what file objects fetch or flush) and before each statement of SQLite. With
`Disk.track` the disk remembers what was made durable, by ``os.fsync`` or by a commit of SQLite, so that
`Disk.power_cut` can take everything else away.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import BadFault, SimError
from harness.sim.fault_arguments import check_seconds, check_whole
from harness.sim.machine.descriptors import failure
from harness.sim.machine.files import REAL_IO_OPEN
from harness.sim.thread import current_thread
from harness.sim.timers import us

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_SIDE_FILES: Final = ("-wal", "-journal", "-shm")


class DiskFault(enum.Enum):
    """What can be wrong with a file, or with all files under a folder."""

    FULL = "full"
    """Nothing can be written any more: ENOSPC, SQLITE_FULL."""
    READ_ONLY = "read-only"
    """EROFS, SQLITE_READONLY."""
    IO_ERROR = "io-error"
    """EIO, SQLITE_IOERR; for reading, too, also of files that are open, and for ``os.fsync``."""
    SLOW = "slow"
    """Each statement of SQLite, opening, ``os.read``, ``os.write`` takes some time; what file objects transfer none."""


_ERRNO: Final = {DiskFault.FULL: errno.ENOSPC, DiskFault.READ_ONLY: errno.EROFS, DiskFault.IO_ERROR: errno.EIO}
_SQLITE: Final = {
    DiskFault.FULL: (sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full"),
    DiskFault.READ_ONLY: (sqlite3.SQLITE_READONLY, "SQLITE_READONLY", "attempt to write a readonly database"),
    DiskFault.IO_ERROR: (sqlite3.SQLITE_IOERR, "SQLITE_IOERR", "disk I/O error"),
}


@dataclass(frozen=True, eq=False)
class Trouble:
    """One fault at one place; `delay` in microseconds."""

    fault: DiskFault
    place: Path
    delay: int = 0

    def holds_at(self, path: Path) -> bool:
        """Whether the place is this path or above it."""
        return path == self.place or self.place in path.parents


def disk_here() -> Disk:
    """The disk of the world that asks; raises `SimError` outside of one that has a disk."""
    thread = current_thread()
    disk: Disk | None = None if thread is None else thread.process.kernel.disk
    if disk is None:
        raise SimError("a disk can be in trouble in an open world that simulates a machine; there is none")
    return disk


class Disk:
    """Faults and durability of one world's files.

    >>> with world.machine.disk.trouble(DiskFault.FULL, tmp_path):  # doctest: +SKIP
    ...     ask()
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        machine.kernel.disk = self
        self._troubles: list[Trouble] = []
        self._tracked: list[Path] = []
        self._saved: dict[Path, Path | None] = {}
        self._by_inode: dict[tuple[int, int], Path] = {}
        self._vault: Path | None = None
        self._copies = 0

    # -- what tests do

    def begin(self, fault: DiskFault, place: Path | str, *, seconds: float = 0.0) -> Trouble:
        """Let something be wrong at a file or under a folder until `end`; `seconds` is how slow SLOW is.

        :raises BadFault: `fault` is no `DiskFault`, `place` is neither there nor in a folder that is, or `seconds` do
            not fit: SLOW needs some, the others take none.
        """
        _check(fault, seconds)
        trouble = Trouble(fault, _place("disk.trouble", place), us(seconds))
        self._machine.kernel.record("disk.fault", fault.value)
        self._troubles.append(trouble)
        return trouble

    def end(self, trouble: Trouble) -> None:
        """Let it be right again; a second call does nothing."""
        if trouble in self._troubles:
            self._machine.kernel.record("disk.healed", trouble.fault.value)
            self._troubles.remove(trouble)

    @contextlib.contextmanager
    def trouble(self, fault: DiskFault, place: Path | str, *, seconds: float = 0.0) -> Iterator[Trouble]:
        """`begin`, and `end` at the end of the block.

        >>> with world.machine.disk.trouble(DiskFault.FULL, "data"):  # doctest: +SKIP
        ...     ask()
        """
        begun = self.begin(fault, place, seconds=seconds)
        try:
            yield begun
        finally:
            self.end(begun)

    def corrupt(self, path: Path | str, *, flips: int = 16) -> list[int]:
        """Flip bits of a file, at places drawn from the world's "disk" stream; the offsets of the bytes.

        :raises BadFault: fewer than one flip, or an empty file, which has no bits.
        """
        check_whole("disk.corrupt(flips=...)", flips, 1)
        target, kernel = Path(path), self._machine.kernel
        data = bytearray(_bytes_of(target))
        if not data:
            raise BadFault(f"disk.corrupt was given {str(path)!r}, which is empty: expected a file with bytes to flip")
        offsets = [kernel.draw("disk", 0, len(data) - 1, "flip") for _ in range(flips)]
        for offset in offsets:
            data[offset] ^= 1 << kernel.draw("disk", 0, 7, "bit")
        _put_bytes(target, bytes(data))
        return offsets

    def track(self, folder: Path | str) -> None:
        """Remember from now on what of this folder is durable; what lies there is. See `power_cut`.

        :raises BadFault: the folder is neither there nor in one that is.
        """
        place = _place("disk.track", folder)
        self._tracked.append(place)
        for path in self._files(place):
            self._save(path)

    def power_cut(self, folder: Path | str) -> list[Path]:
        """Bring a tracked folder back to what was durable; the files that changed. Its processes must be dead.

        What was never synced is empty, as on a file system that orders data behind its journal.

        :raises BadFault: nobody has called `track` for this folder, so that nothing in it is known to be durable.
        """
        place, changed = Path(folder).resolve(), list[Path]()
        if not self._is_tracked(place):
            raise BadFault(f"disk.power_cut was given {str(folder)!r}: expected a folder given to disk.track before")
        for path in sorted({*self._files(place), *(one for one in self._saved if place in one.parents)}):
            kept = self._durable(path)
            before = _bytes_of(path) if path.exists() else None
            after = None if kept is None and path in self._saved else b"" if kept is None else _bytes_of(kept)
            if before == after:
                continue
            changed.append(path)
            if after is None:
                path.unlink()
            else:
                _put_bytes(path, after)
        self._machine.kernel.record("disk.power_cut", len(changed))
        return changed

    def _durable(self, path: Path) -> Path | None:
        if path in self._saved:
            return self._saved[path]
        status = path.stat() if path.exists() else None
        return None if status is None else self._by_inode.get((status.st_dev, status.st_ino))

    @staticmethod
    def _files(place: Path) -> list[Path]:
        return sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]

    # -- what the machine asks

    @property
    def durable(self) -> bool:
        """Whether anybody wants to know what is durable."""
        return bool(self._tracked)

    def before_open(self, path: Any, flags: int) -> None:
        """Raise, or wait, as the trouble at `path` demands."""
        if not self._troubles or isinstance(path, int):
            return
        if flags & os.O_CREAT and flags & os.O_EXCL and os.path.lexists(path):
            return  # EEXIST comes before anything that the disk itself could say
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        for trouble in self._at(Path(os.fsdecode(path)).resolve()):
            self._suffer(trouble, writes)

    def before_read(self, real: int) -> None:
        """Raise, or wait, before a read from a real descriptor."""
        if self._troubles:
            for trouble in self._at(_path_of(real)):
                self._suffer(trouble, writes=False)

    def before_write(self, real: int) -> None:
        """Raise, or wait, before a write to a real descriptor."""
        if self._troubles:
            for trouble in self._at(_path_of(real)):
                self._suffer(trouble, writes=True)

    def refuse(self, real: int, *, writes: bool) -> None:
        """Raise before a file object reads from or writes to a real descriptor; never wait.

        The caller stands inside the object's buffer, whose lock is one of C: were it to park there, the next thread
        that uses the object would stop the world.
        """
        if self._troubles:
            for trouble in self._at(_path_of(real)):
                if trouble.fault is not DiskFault.SLOW:
                    self._suffer(trouble, writes)

    def before_statement(self, path: str, connection: sqlite3.Connection, writes: bool) -> None:
        """Raise, or wait, before a statement of SQLite; a write that fails ends its transaction."""
        if not self._troubles or not path:
            return
        for trouble in self._at(Path(path).resolve()):
            if trouble.fault is DiskFault.SLOW:
                self._machine.kernel.sleep(trouble.delay)
            elif writes or trouble.fault is DiskFault.IO_ERROR:
                if connection.in_transaction:
                    sqlite3.Cursor.execute(sqlite3.Cursor(connection), "ROLLBACK")
                raise _sqlite_error(trouble.fault)

    def _at(self, path: Path) -> list[Trouble]:
        return [trouble for trouble in self._troubles if trouble.holds_at(path)]

    def _suffer(self, trouble: Trouble, writes: bool) -> None:
        if trouble.fault is DiskFault.SLOW:
            self._machine.kernel.sleep(trouble.delay)
        elif writes or trouble.fault is DiskFault.IO_ERROR:
            raise failure(_ERRNO[trouble.fault])

    def synced(self, real: int) -> None:
        """``os.fsync`` was called on a real descriptor. Raises OSError (EIO)."""
        self.before_read(real)  # which refuses where nothing works, not where there is no room for more
        if self._tracked:
            path = _path_of(real)
            if self._is_tracked(path):
                self._save(path)

    def synced_all(self) -> None:
        """``os.sync`` was called: all that is tracked is durable."""
        for place in self._tracked:
            for path in {*self._files(place), *(one for one in self._saved if self._is_in(one, place))}:
                self._save(path)

    def committed(self, path: str, connection: sqlite3.Connection, level: int) -> None:
        """SQLite has committed: durable, if ``synchronous`` (`level`) says so."""
        database = Path(path).resolve()
        if not path or not self._is_tracked(database):
            return
        [mode] = sqlite3.Cursor.execute(sqlite3.Cursor(connection), "PRAGMA journal_mode").fetchone()
        if level >= (2 if mode == "wal" else 1):
            for ending in ("", *_SIDE_FILES):
                self._save(database.with_name(database.name + ending))

    def _is_tracked(self, path: Path) -> bool:
        return any(self._is_in(path, place) for place in self._tracked)

    @staticmethod
    def _is_in(path: Path, place: Path) -> bool:
        return place == path or place in path.parents

    def _save(self, path: Path) -> None:
        if not path.exists():
            self._saved[path] = None
            return
        if self._vault is None:
            self._vault = Path(tempfile.mkdtemp(prefix="sim-disk-"))
        copy = self._saved.get(path)
        if copy is None:
            self._copies += 1
            copy = self._vault / str(self._copies)
        _put_bytes(copy, _bytes_of(path))
        status = path.stat()
        self._saved[path] = self._by_inode[status.st_dev, status.st_ino] = copy

    def close(self) -> None:
        """Forget everything: what is still open works again."""
        self._troubles.clear()
        if self._vault is not None:
            shutil.rmtree(self._vault, ignore_errors=True)
            self._vault = None


def _check(fault: Any, seconds: Any) -> None:
    if not isinstance(fault, DiskFault):
        known = ", ".join(f"DiskFault.{one.name}" for one in DiskFault)
        raise BadFault(f"disk.trouble was given {fault!r}: expected one of {known}")
    check_seconds("disk.trouble(seconds=...)", seconds)
    if bool(seconds) is not (fault is DiskFault.SLOW):
        expected = "seconds above 0, how slow it is" if fault is DiskFault.SLOW else "no seconds: only SLOW takes them"
        raise BadFault(f"disk.trouble was given {fault} with seconds={seconds!r}: expected {expected}")


def _place(what: str, place: Path | str) -> Path:
    """Where it is; files that are still to be made have a folder that is there."""
    found = Path(place).resolve()
    if not found.exists() and not found.parent.exists():
        raise BadFault(f"{what} was given {str(place)!r}: expected a file or folder that is there, or its folder is")
    return found


def _path_of(real: int) -> Path:
    """Where the file behind a real descriptor lies."""
    return Path(f"/proc/self/fd/{real}").resolve()


def _bytes_of(path: Path) -> bytes:
    """What is on the medium, whatever trouble the disk is in."""
    with REAL_IO_OPEN(path, "rb") as file:
        return bytes(file.read())


def _put_bytes(path: Path, data: bytes) -> None:
    """Change the medium, whatever trouble the disk is in."""
    with REAL_IO_OPEN(path, "wb") as file:
        file.write(data)


def _sqlite_error(fault: DiskFault) -> sqlite3.OperationalError:
    code, name, text = _SQLITE[fault]
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error
