"""S5 - how long a governor takes until its server and one handler are ready.

Held against two interpreters, one after the other, that only import what server and handler import: below that nobody
who starts them one by one can get. The governor starts them side by side, which is how it can be quicker.

Run: python benchmarks/governor_start.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Goal, interleaved, show
from harness.targets.schedule_zero import fixtures

ROUNDS = 7
IMPORTS = ("schedule_zero.server", "harness.targets.schedule_zero.worker")


def governed() -> float:
    """Seconds from ``start()`` to ready; the stop is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        governor = fixtures.governor(Path(folder), fixtures.worker_config("h1"))
        begin = time.perf_counter()
        ready = governor.start()
        took = time.perf_counter() - begin
        governor.stop()
    if not ready:
        raise SystemExit("the governor did not get ready: nothing was measured")
    return took


def imported() -> float:
    """Seconds that two interpreters take to import the same libraries, one after the other."""
    begin = time.perf_counter()
    for module in IMPORTS:
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - begin


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""
    sides = interleaved({"server and handler ready": governed, "two imports": imported}, ROUNDS)
    goal = Goal("S5", "server and handler ready", "two imports", at_most=1.5)
    return 0 if show("Start of a deployment", "s", sides, [goal]) else 1


if __name__ == "__main__":
    sys.exit(main())
