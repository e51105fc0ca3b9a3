"""The process a scheduler lives in.

Questions come by standard input, answers go by standard output, a line of JSON each; the first line holds the
settings. The end of standard input, SIGTERM and SIGINT end it in good order; a scheduler that crashes ends it with
`CRASHED`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from harness.targets.apscheduler.host import SchedulerHost, Settings

CRASHED = 70
"""Exit code when the scheduler raised (EX_SOFTWARE)."""


def main() -> int:
    """Serve until told to stop; the exit code."""
    questions, answers = _lines(sys.stdin.fileno()), sys.stdout
    sys.stdout = sys.stderr  # what a task prints belongs into the log

    def say(message: dict[str, Any]) -> None:
        try:
            answers.write(json.dumps(message, separators=(",", ":")) + "\n")
            answers.flush()
        except OSError:
            return  # nobody listens any more, which the end of standard input tells as well

    host = SchedulerHost(Settings(**json.loads(next(questions))), say)
    try:
        asyncio.run(_serve(host, questions))
    except Exception as error:  # noqa: BLE001 - it was said what it was; the log gets the traceback
        sys.excepthook(type(error), error, error.__traceback__)
        return CRASHED
    return 0


async def _serve(host: SchedulerHost, questions: Iterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    serving = asyncio.ensure_future(host.serve())
    await asyncio.sleep(0)  # from here on the host takes questions
    threading.Thread(target=_read, args=(host, questions), name="questions", daemon=True).start()
    await serving
    for number in (signal.SIGTERM, signal.SIGINT):
        # A second one, while the interpreter ends, changes nothing: by default it would kill.
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Whole lines, unbuffered: a thread that waits inside a buffered reader brings the interpreter down at its end."""
    left = b""
    while data := os.read(descriptor, 65_536):
        *lines, left = (left + data).split(b"\n")
        yield from lines


def _read(host: SchedulerHost, questions: Iterator[bytes]) -> None:
    try:
        for line in questions:
            host.put(json.loads(line))
        host.put(None)
    except RuntimeError:
        return  # the loop has ended before the questions have


if __name__ == "__main__":
    sys.exit(main())
