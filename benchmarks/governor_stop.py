"""S6 - how long a governor takes to stop its server and ten handlers in good order.

Held against one process of the same interpreter that has imported the same libraries, does nothing, and is told to end
by SIGTERM: below that no stop of a process can get. The governor's stop drains and unregisters ten handlers, gives the
server's jobs back, closes its store, and sees every process end.

Run: python benchmarks/governor_stop.py
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Goal, interleaved, show
from harness.targets.schedule_zero import fixtures

ROUNDS = 7
HANDLERS = 10
BARE = """
import signal, sys
import schedule_zero.server
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
signal.pause()
"""


def governed() -> float:
    """Seconds that ``stop()`` takes; the start is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        governor = fixtures.governor(Path(folder), *(fixtures.worker_config(f"h{n}") for n in range(HANDLERS)))
        governor.ready_timeout = 120.0
        ready = governor.start()
        begin = time.perf_counter()
        stopped = governor.stop()
        took = time.perf_counter() - begin
        clean = all(info.exit_code == 0 for info in governor.status().values())
    if not (ready and stopped and clean):
        raise SystemExit("the governor did not start or stop in good order: nothing was measured")
    return took


def bare() -> float:
    """Seconds that a process takes to end which has imported what a server needs."""
    with subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begin = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait()
        return time.perf_counter() - begin


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""
    sides = interleaved({"server and 10 handlers stopped": governed, "one bare process": bare}, ROUNDS)
    goal = Goal("S6", "server and 10 handlers stopped", "one bare process", at_most=3.0)
    return 0 if show("Stop of a deployment", "s", sides, [goal]) else 1


if __name__ == "__main__":
    sys.exit(main())
