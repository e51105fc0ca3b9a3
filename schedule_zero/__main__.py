"""The command ``schedule-zero``, as ``python -m schedule_zero``."""

from __future__ import annotations

from schedule_zero.cli import main

if __name__ == "__main__":
    main(prog_name="schedule-zero")
