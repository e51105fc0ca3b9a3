"""``process.terminate``: a process is told to end by SIGTERM, and ends in good order."""

from __future__ import annotations

import signal
from typing import ClassVar

from harness.faults.process_kill import ProcessKill


class ProcessTerminate(ProcessKill):
    """Have one process end in its own time. It heals as `ProcessKill` does, when its successor runs: ``restart`` is
    the time for both, the end and the new start.

    >>> import subprocess, sys
    >>> from harness.faults.process_kill import KillArgs
    >>> from harness.targets.base import Place, PlaceKind
    >>> child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    >>> with ProcessTerminate(Place(PlaceKind.PROCESS, "child", pid=child.pid), KillArgs()):
    ...     child.wait(timeout=10)
    -15
    """

    kind: ClassVar[str] = "process.terminate"
    about: ClassVar[str] = "a process is told to end by SIGTERM; healed when it runs again"
    died_within: ClassVar[float] = 0.0
    number: ClassVar[signal.Signals] = signal.SIGTERM
