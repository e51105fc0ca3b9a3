"""A pipe from the parent, whose end tells a child that it is an orphan."""

from __future__ import annotations

import json
import logging
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

PID_FILE_VARIABLE: Final = "SCHEDULEZERO_PID_FILE"
"""Names the pid file that a governor keeps for a child, which removes it when the governor cannot."""

_LOOK: Final = 0.5


class Lifeline:
    """Watches the reading end of an inherited pipe and calls `on_lost()` once, from its own thread, at its end.

    The parent holds the writing end and never writes: the system closes it when the parent dies, however it
    dies. `fd` is taken over and closed.

    Example:
        >>> reader, writer = os.pipe()
        >>> lost = threading.Event()
        >>> lifeline = Lifeline(reader, lost.set)
        >>> lifeline.start()
        >>> os.close(writer)
        >>> lost.wait(5.0)
        True
    """

    def __init__(self, fd: int, on_lost: Callable[[], object]) -> None:
        self._fd = fd
        self._on_lost = on_lost
        self.lost = False
        """Whether the parent is gone; then nobody else removes what it kept for this process."""
        self._closed = threading.Event()
        self._wake_reader = -1
        self._wake_writer: int | None = None
        self._thread = threading.Thread(target=self._watch, name="lifeline", daemon=True)

    def start(self) -> None:
        """Begin to watch.

        Raises:
            OSError: `fd` is no open descriptor.
        """
        os.fstat(self._fd)
        # Grandchildren must not keep it open, nor be told of it.
        os.set_inheritable(self._fd, False)
        # Writing here ends the watch at once: a process that stops must not wait for the next look.
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread.start()

    def close(self) -> None:
        """Stop watching; `on_lost` is not called any more (unless it is being called now)."""
        if self._wake_writer is not None:
            os.close(self._wake_writer)
            self._wake_writer = None
        self._closed.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(2 * _LOOK)

    def _watch(self) -> None:
        try:
            while not self._closed.is_set():
                readable, _, _ = select.select([self._fd, self._wake_reader], [], [], _LOOK)
                if self._fd in readable and not os.read(self._fd, 4096):
                    logger.warning("the parent process is gone")
                    self.lost = True
                    self._on_lost()
                    return
        except OSError as error:
            logger.error("lifeline broken: %s", error)
            self._on_lost()
        finally:
            os.close(self._fd)
            os.close(self._wake_reader)


def forget_pid_file() -> None:
    """Remove the pid file that a dead governor kept for this process; one that names another process stays."""
    named = os.environ.get(PID_FILE_VARIABLE)
    if not named:
        return
    try:
        path = Path(named)
        if json.loads(path.read_text("utf-8"))["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("the pid file %s stays behind: %s", named, error)
