"""What can be wrong with a store: a type for each thing that somebody would do something else about.

All are `StoreUnusable`. `StoreTrouble` alone never reaches a caller: it is how a store says "try again".
"""

from __future__ import annotations

from pathlib import Path

from schedule_zero.errors import StoreUnusable

__all__ = [
    "RowUnreadable",
    "StoreAway",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreForeign",
    "StoreReplaced",
    "StoreTooNew",
    "StoreTrouble",
]


class RowUnreadable(StoreUnusable):
    """A stored schedule or job makes no sense to this version of the package; it stays in the store.

    >>> str(RowUnreadable("schedule", "s"))
    "the stored schedule 's' cannot be read (the server's log says why): replace it, or remove it"
    """

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(
            f"the stored {kind} {key!r} cannot be read (the server's log says why): replace it, or remove it"
        )


class StoreAway(StoreUnusable):
    """The database could not be opened in the time there was, by something that passes by itself: it does not
    answer, or somebody has it locked. Try again later.
    """


class StoreBusy(StoreUnusable):
    """The store did not finish an operation in the time that the caller had; it may be locked or full. Try
    again.
    """


class StoreClosed(StoreUnusable):
    """The store is closed; the operation did not happen."""


class StoreCorrupt(StoreUnusable):
    """The database is damaged, or is no database at all: restore a backup."""


class StoreForeign(StoreUnusable):
    """The database belongs to another application; it was left as it is. Name another one."""


class StoreReplaced(StoreUnusable):
    """A file of the database was removed or replaced while it was open: what is written to it would be lost at the
    next start. Put the same file back (``mv``), or restart the server with the file that it shall go on with.

    >>> str(StoreReplaced(Path("clock.db")))[:70]
    'the database file clock.db was removed or replaced under the running s'
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the database file {path} was removed or replaced under the running server, which writes nothing more:"
            " move the same file back if you still have it, else restart the server with a backup in its place"
        )


class StoreTooNew(StoreUnusable):
    """The database was written by a newer version of this package: use that version, or restore a backup."""


class StoreTrouble(Exception):
    """A condition that can pass: the whole batch was rolled back and can be run again.

    `contended` says that it was somebody else's lock on a row, which concerns one piece of work of the batch and
    not the others.
    """

    def __init__(self, cause: Exception, *, contended: bool = False) -> None:
        super().__init__(str(cause).strip())
        self.contended = contended
