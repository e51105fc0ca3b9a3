"""Files that are either old or new, never half, and readable by nobody but their owner."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["make_folder", "make_private", "write_atomically"]


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can look into; one that is there stays as it is. Raises OSError.

    Jobs carry parameters and results: what is written about them is nobody else's business.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read and write, before anybody writes into it by its name.

    One that is there stays as it is. Raises OSError.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def write_atomically(path: Path, text: str, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replace a file by a text at once; ``durable`` also survives a loss of power. Makes the folder if need be.

    Raises OSError, and then leaves the old file as it was and no other behind.
    """
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
