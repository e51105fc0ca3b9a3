"""Sending a signal to a process that cannot be mistaken for another.

Between looking at a pid and signalling it the process may end and the kernel may give its number away. A pidfd
names the process itself (Linux 5.3); where there is none, psutil compares the start time just before it sends.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psutil

from harness.errors import FaultError

_LOOK_AGAIN = 0.005


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Send `number` to exactly `process`; False when it is gone. Raises `FaultError` when refused."""
    try:
        if hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal"):
            return _send_by_pidfd(process, number)
        process.send_signal(number)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    except (PermissionError, psutil.AccessDenied) as error:
        raise FaultError(f"may not send {number.name} to pid {process.pid}: {error}") from error
    return True


def _send_by_pidfd(process: psutil.Process, number: signal.Signals) -> bool:
    handle = os.pidfd_open(process.pid)
    try:
        if not process.is_running():  # compares the start time: the descriptor may name the pid's next owner
            return False
        signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
    return True


def ended(process: psutil.Process) -> bool:
    """Whether `process` runs no more; a zombie has ended, its parent only has not looked yet."""
    try:
        return not process.is_running() or process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True


def stopped(process: psutil.Process) -> bool:
    """Whether `process` stands still by SIGSTOP."""
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether `condition` became true within `timeout` seconds."""
    limit = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= limit:
            return False
        time.sleep(_LOOK_AGAIN)
    return True
