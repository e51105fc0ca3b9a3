"""How the last stop of a deployment went: one file that says how each of its services ended.

``stopped.json`` in the deployment's folder is written when a governor has stopped everything, and stays until the next
stop: ``{"pid", "at", "services": {name: {"code", "forced", "hurried", "ready", "after"}}}``. ``pid`` is the governor's,
``at`` Unix seconds; the rest is `Ending`. A governor that was killed itself writes none.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from schedule_zero.files import write_atomically

__all__ = ["FILE", "Ending", "Forced", "StopReport", "read_stop_report", "write_stop_report"]

FILE = "stopped.json"
"""Name of the file in the deployment's folder."""

_log = logging.getLogger(__name__)


class Forced(StrEnum):
    """What had to be done about a service that was told to stop."""

    NOTHING = ""
    KILLED = "killed"
    #: A thread, which cannot be killed, was left to itself.
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Ending:
    """How one service that ran ended when it was told to.

    ``code`` is its exit code (negative: the signal that ended it; None: nobody saw it). ``forced`` is empty when it
    ended by itself, else what had to be done, see `Forced`. ``hurried`` says that it got
    less than its time, because a second signal came. ``ready`` is whether it had answered before, and
    so listened to signals. ``after`` is the seconds from the request until its end was seen.
    """

    code: int | None
    forced: Forced = Forced.NOTHING
    hurried: bool = False
    ready: bool = True
    after: float = 0.0


@dataclass(frozen=True)
class StopReport:
    """What the file says: the governor's process id, when it wrote (Unix seconds), and each service's end by name."""

    pid: int
    at: float
    services: Mapping[str, Ending]


def write_stop_report(folder: Path, services: Mapping[str, Ending]) -> None:
    """Write the file for the governor in this process. A disk that does not take it is told of in the log: a stop must
    not fail over its report.
    """
    data = {
        "pid": os.getpid(),
        "at": round(time.time(), 3),
        "services": {name: asdict(ending) for name, ending in services.items()},
    }
    try:
        write_atomically(folder / FILE, json.dumps(data))
    except OSError as error:
        _log.warning("how the stop went cannot be written: %s", error)


def read_stop_report(folder: Path) -> StopReport | None:
    """The last stop's report; None when there is none, or it is not understandable."""
    try:
        data = json.loads((folder / FILE).read_text("utf-8"))
        services = {str(name): _ending(**told) for name, told in data["services"].items()}
        return StopReport(int(data["pid"]), float(data["at"]), services)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _ending(code: int | None, forced: str = "", **more: Any) -> Ending:
    return Ending(code, Forced(forced), **more)
