"""Which processes a fault may touch: those that the run itself started.

A fault sends signals. A mistyped name or a reused pid must never reach somebody else's process, so every fault
on a process asks here first. Allowed are descendants of this process, processes that belong to this run by
their environment or by its mark (a governor's grandchild whose parent died is nobody's descendant any more; see
`harness.descent`), and places allowed by name. Never allowed are this process and its ancestors.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

import psutil

from harness import descent
from harness.errors import FaultError
from harness.faults.base import RUN_TAG, Surroundings
from harness.targets.base import Place

SAME_START = 0.5
"""Seconds by which two readings of one process's start time may differ (the kernel counts in ticks from a boot
time that drifts).
"""


class NotOurs(FaultError):
    """The process was not started by this run; it is left alone."""


class ProcessGone(FaultError):
    """There is no such process (any more): it ended, or its pid belongs to another one now."""


def own_process(place: Place, surroundings: Surroundings) -> psutil.Process:
    """The live process of `place`, proven to be the one that is meant and one that may be touched.

    Raises `ProcessGone` when it does not run (a zombie does not), `NotOurs` when it may not be touched.
    """
    if place.pid == 1:
        raise NotOurs(f"{place.name} was not started by this run: it is the first process of this system")
    process = live_process(place)
    refuse_ancestors(process, place)
    if not may_touch(process, place, surroundings):
        raise NotOurs(
            f"{place.name} (pid {place.pid}, {_name(process)!r}) was not started by this run: it is no "
            f"descendant of this process, has no {RUN_TAG}={surroundings.run_tag or '<run id>'} in its environment, "
            f"and does not carry the run's mark. If it is meant, allow it by name."
        )
    return process


def live_process(place: Place) -> psutil.Process:
    """The process that runs under the pid of `place` since the start time of `place`; raises `ProcessGone`."""
    if place.pid <= 0:
        raise ProcessGone(f"{place.name} has no process (pid {place.pid})")
    try:
        process = psutil.Process(place.pid)
        started, status = process.create_time(), process.status()
    except psutil.NoSuchProcess:
        raise ProcessGone(f"{place.name}: no process has pid {place.pid}") from None
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        raise ProcessGone(f"{place.name} (pid {place.pid}) has ended already")
    if place.started and abs(started - place.started) > SAME_START:
        raise ProcessGone(
            f"{place.name}: pid {place.pid} is another process now; it started at {started:.3f}, ours at "
            f"{place.started:.3f} (Unix time)"
        )
    return process


def refuse_ancestors(process: psutil.Process, place: Place) -> None:
    """Raise `NotOurs` when `process` is this process or one of its ancestors: killing those ends the run
    itself.
    """
    if process.pid == os.getpid() or process.pid in _ancestors(psutil.Process()):
        raise NotOurs(f"{place.name} (pid {place.pid}) is the harness itself or one of its parents")


def may_touch(process: psutil.Process, place: Place, surroundings: Surroundings) -> bool:
    """Whether `process` is a descendant, belongs to the run, or is allowed by the name of `place`."""
    if any(fnmatchcase(place.name, pattern) for pattern in surroundings.allowed):
        return True
    if os.getpid() in _ancestors(process):
        return True
    return descent.belongs(process, surroundings.run_tag, RUN_TAG)


def _ancestors(process: psutil.Process) -> list[int]:
    try:
        return [parent.pid for parent in process.parents()]
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "gone"
