"""The governor that runs a deployment, as another process finds it, asks it things, ends it."""

from __future__ import annotations

import time
from typing import Any

from schedule_zero.deployment import Deployment
from schedule_zero.deployment_lock import holder, is_locked
from schedule_zero.errors import CallTimeout, ScheduleZeroError
from schedule_zero.governor_runtime import GovernorRuntime, read_governor
from schedule_zero.pidfile import is_alive
from schedule_zero.zmq_client import ZMQClient

__all__ = ["GovernorOutOfReach", "find_governor", "order", "stop_governor"]

_TICK = 0.02  # seconds between two looks whether a governor has ended
_ORDER_MS = 90_000  # a restart stops and starts everything
_STOP_MS = 2_000  # a stop is acknowledged at once, or by nobody: another's stop may have closed the address meanwhile


class GovernorOutOfReach(ScheduleZeroError):
    """A governor has the deployment, and nothing says where it takes orders; ``pid`` is its process where known."""

    def __init__(self, deployment: Deployment, pid: int | None) -> None:
        who = f"process {pid}" if pid else "a process"
        end = f"end it with `kill {pid}`" if pid else "end it with SIGTERM"
        super().__init__(
            f"{who} governs deployment {deployment.name!r}, but {deployment.directory / 'governor.json'}, which says "
            f"where it takes orders, is not there: it is starting or stopping, or the file was removed; wait, or {end}"
        )
        self.pid = pid


def find_governor(deployment: Deployment) -> GovernorRuntime | None:
    """The governor of a deployment; None when none runs, as its lock says.

    Raises GovernorOutOfReach when one runs that cannot be asked.
    """
    running = read_governor(deployment.directory / "governor.json")
    lock = deployment.directory / "governor.lock"
    if running is None and is_locked(lock):
        # It may have written its address between the two looks.
        running = read_governor(deployment.directory / "governor.json")
        if running is None:
            raise GovernorOutOfReach(deployment, holder(lock))
    return running


def order(
    running: GovernorRuntime, method: str, params: dict[str, Any] | None = None, *, timeout: int = _ORDER_MS
) -> Any:
    """The governor's answer to an order. Raises RemoteError when it refuses, CallTimeout when none comes within
    ``timeout`` milliseconds.
    """
    client = ZMQClient(running.control, timeout=timeout, secure=running.secure())
    try:
        return client.call(method, params)
    finally:
        client.terminate()


def stop_governor(deployment: Deployment, timeout: float) -> bool:
    """Stop the governor, and wait ``timeout`` seconds until it has ended; False when none ran.

    One that is starting is stopped when it can be asked, one that is stopping already is waited for. Raises
    GovernorOutOfReach or CallTimeout when it could not be asked in time, ScheduleZeroError when it has not ended in
    time.
    """
    deadline = time.monotonic() + timeout
    found = False
    while True:
        try:
            running = find_governor(deployment)
        except GovernorOutOfReach:
            found = True
            if time.monotonic() >= deadline:
                raise
            time.sleep(_TICK)
            continue
        if running is None:
            return found
        try:
            order(running, "stop", timeout=_STOP_MS)
        except CallTimeout:
            found = True
            if time.monotonic() >= deadline:
                raise
            continue  # to be told to stop once more changes nothing
        _await_end(running, deadline, timeout)
        return True


def _await_end(running: GovernorRuntime, deadline: float, timeout: float) -> None:
    while is_alive(running.record):
        if time.monotonic() >= deadline:
            raise ScheduleZeroError(f"governor {running.record.pid} has not ended within {timeout:g} s")
        time.sleep(_TICK)
