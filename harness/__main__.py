"""The command ``harness``, also as ``python -m harness``.

Imports next to nothing before `main`, so that a signal among the imports ends as any other does, and that an older
Python can read it and be told.
"""

from __future__ import annotations

import gc
import os
import sys

from harness import stopping
from harness.errors import ExitCode

NEEDED = (3, 11)
"""The oldest Python that the package runs on."""
_ALLOCATIONS = 50_000
"""Between two looks for garbage: at the 700 of Python, looking through imports is a tenth of a short command."""


def main() -> None:
    """Run the command line; exits with one of `ExitCode`."""
    if sys.version_info < NEEDED:
        sys.exit(too_old())
    speak_utf8()
    stopping.begin()
    gc.set_threshold(_ALLOCATIONS)
    from harness import output

    with output.guarded():
        from harness.cli import main as command

        command(prog_name="harness")


def speak_utf8() -> None:
    """Start this process anew in UTF-8 mode (PEP 540) where the locale is of another encoding.

    Scenario files and reports are UTF-8, and so are the paths and arguments that stand in them. Python sees to it by
    itself in the locale C, unless PYTHONUTF8=0 says otherwise; that is for programs which can do without. An
    interpreter that was told not to heed it (-X utf8=0, -E, -I) goes on as it is: a new start would change nothing.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def too_old() -> int:
    """Tell that this Python cannot run the harness; returns the exit code."""
    needed, here = (".".join(map(str, version[:3])) for version in (NEEDED, sys.version_info))
    print(f"harness: Python {needed} or newer is needed, this is {here}", file=sys.stderr)
    return ExitCode.USAGE


if __name__ == "__main__":
    main()
