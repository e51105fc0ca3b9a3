"""A pipe to the processes that play several runs at once: each of them ends its run when nobody is there to read it.

`harness run -n 2` plays each run in a process of its own. Who is killed cannot tell them so; the system closes what the
dead one held, and that they see.
"""

from __future__ import annotations

import os
import signal
import threading


def watch(descriptor: int) -> None:
    """Send this process SIGTERM, which ends its run in good order, once the writing end of `descriptor` is closed.

    The reading end is taken over: nothing that is started from here has it. Raises OSError when it is not open.
    """
    os.set_inheritable(descriptor, False)
    # Looked up here: by the time it ends, those names may be those of a simulated world, and this thread is not in it.
    read, kill, own = os.read, os.kill, os.getpid()

    def wait() -> None:
        while read(descriptor, 1):
            pass
        kill(own, signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
