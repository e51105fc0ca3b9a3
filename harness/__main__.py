"""The command ``harness``, also as ``python -m harness``.

Imports nothing before `main`, so that a Ctrl-C among the imports ends as any other does.
"""

from __future__ import annotations

import sys

from harness.errors import ExitCode


def main() -> None:
    """Run the command line; exits with one of `ExitCode`."""
    try:
        from harness.cli import main as command
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
    command(prog_name="harness")


if __name__ == "__main__":
    main()
