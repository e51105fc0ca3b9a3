"""``store.locked``: a second connection holds the write lock of an SQLite file (SQLITE_BUSY for everybody
else).

In WAL mode ``BEGIN EXCLUSIVE`` keeps out writers only, as it does in production; otherwise readers too. The
lock is one of POSIX, which a process loses as soon as it closes *any* descriptor of that file: nothing else in
this process may open the file by ``open()`` meanwhile (further SQLite connections are safe, SQLite knows of the
trap).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import FaultError
from harness.faults.base import Fault, NoArgs
from harness.history.records import MetBy
from harness.targets.base import PlaceKind

_BETWEEN_TRIES = 0.002


class StoreLocked(Fault[NoArgs]):
    """Hold the lock of one SQLite store.

    >>> import tempfile
    >>> from harness.targets.base import Place
    >>> path = Path(tempfile.mkdtemp()) / "jobs.db"
    >>> _ = sqlite3.connect(path).execute("CREATE TABLE t (x)")
    >>> with StoreLocked(Place(PlaceKind.STORE, "store", path=path), NoArgs()):
    ...     sqlite3.connect(path, timeout=0).execute("INSERT INTO t VALUES (1)")
    Traceback (most recent call last):
    sqlite3.OperationalError: database is locked
    """

    kind: ClassVar[str] = "store.locked"
    about: ClassVar[str] = "another connection holds the lock of an SQLite store (SQLITE_BUSY)"
    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.STORE,)

    _holder: sqlite3.Connection | None = None

    @property
    def met_by(self) -> MetBy:
        """Whoever wants to write meanwhile: SQLite has them wait and tells nobody."""
        return MetBy.UNTOLD

    def inject(self) -> Mapping[str, Any]:
        """Get the lock, however often it takes within `deadline`, and prove that others are kept out."""
        path = self._file()
        holder = _connect(path)
        try:
            began = time.monotonic()
            tries = self._lock(holder, path, began + self.deadline * 0.8)
            mode = str(holder.execute("PRAGMA journal_mode").fetchone()[0])
            _prove(path)
        except BaseException:
            holder.close()
            raise
        self._holder = holder
        keeps_out = "writers" if mode == "wal" else "readers and writers"
        return {
            "keeps_out": keeps_out,
            "journal_mode": mode,
            "tries": tries,
            "waited": round(time.monotonic() - began, 6),
        }

    def heal(self) -> Mapping[str, Any]:
        """Give the lock back."""
        holder, self._holder = self._holder, None
        if holder is None:
            return {}
        with contextlib.closing(holder):
            holder.execute("ROLLBACK")
        return {}

    def _file(self) -> Path:
        path = self.place.path
        if path is None:
            raise FaultError(f"{self.place.name} has no file: only an SQLite store on disk can be locked")
        if not path.is_file():
            raise FaultError(f"{self.place.name}: there is no file {path}")
        return path

    def _lock(self, holder: sqlite3.Connection, path: Path, limit: float) -> int:
        """Try until the lock is ours; returns how many tries it took."""
        tries = 0
        while True:
            tries += 1
            try:
                holder.execute("BEGIN EXCLUSIVE")
                return tries
            except sqlite3.DatabaseError as error:
                if not _busy(error):
                    raise FaultError(f"{self.place.name}: cannot lock {path}: {error}") from error
                if time.monotonic() >= limit:
                    raise FaultError(
                        f"{self.place.name}: {path} was locked by others at each of {tries} tries"
                    ) from error
            time.sleep(_BETWEEN_TRIES)


def _connect(path: Path) -> sqlite3.Connection:
    # healed in another thread than it was injected in; only ever used by one at a time
    return sqlite3.connect(
        path.resolve().as_uri() + "?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )


def _prove(path: Path) -> None:
    """Raise `FaultError` unless another connection is refused."""
    with contextlib.closing(_connect(path)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if _busy(error):
                return
            raise FaultError(f"expected SQLITE_BUSY from {path} while it is locked, got: {error}") from error
        other.execute("ROLLBACK")
    raise FaultError(
        f"{path} is locked and yet another connection could begin to write: does its file system keep locks?"
    )


def _busy(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
