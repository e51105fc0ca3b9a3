"""Finds the user's line that reached into the simulation."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import FrameType

_SIM = str(Path(__file__).resolve().parents[1])
_STDLIB = sysconfig.get_path("stdlib")
_PACKAGES = ("site-packages", "dist-packages")


def call_site(frame: FrameType | None = None) -> str:
    """``file:line in function`` of the nearest frame outside the simulation and the standard library.

    Starts at `frame`, or at the caller. When everything is inside, the outermost frame is given.
    """
    frame = frame or sys._getframe(1)
    outermost = frame
    current: FrameType | None = frame
    while current is not None:
        if _is_program(current) or is_foreign(current.f_code.co_filename):
            return _text(current)
        outermost, current = current, current.f_back
    return _text(outermost)


def program_site(frame: FrameType | None = None) -> str:
    """The same outside of installed packages too, where there is such a frame: the program's own line, not pyzmq's."""
    start = frame or sys._getframe(1)
    current: FrameType | None = start
    while current is not None:
        filename = current.f_code.co_filename
        if _is_program(current) or (is_foreign(filename) and not any(name in filename for name in _PACKAGES)):
            return _text(current)
        current = current.f_back
    return call_site(start)


def is_foreign(filename: str) -> bool:
    """Whether a file belongs neither to the simulation nor to the standard library."""
    if filename.startswith(("<frozen", "<string>", _SIM)):
        return False
    return not filename.startswith(_STDLIB) or any(name in filename for name in _PACKAGES)


def _is_program(frame: FrameType) -> bool:
    """Whether a frame is of what ``python -c`` was given; other code of no file is made by libraries (dataclasses)."""
    code = frame.f_code
    return (
        code.co_filename == "<string>"
        and frame.f_globals.get("__name__") == "__main__"
        and not code.co_qualname.startswith("__create_fn__")
    )


def _text(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
