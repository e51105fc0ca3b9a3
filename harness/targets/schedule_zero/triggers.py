"""The model's triggers as the scheduler's API takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.models.zones import SECOND, moment


def spoken(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """A trigger in the form of `harness.models.triggers.parse`, as JSON for ``POST /api/schedule``.

    >>> spoken({"kind": "interval", "every": 1_500_000, "start": 0})["microseconds"]
    500000
    """
    kind = trigger["kind"]
    if kind == "date":
        return {"type": "date", "run_date": _instant(trigger["at"])}
    if kind == "calendar":
        hour, minute, second = trigger["time"]
        units = {unit: trigger[unit] for unit in ("years", "months", "weeks", "days") if trigger.get(unit)}
        times = {"hour": hour, "minute": minute, "second": second}
        begin = {"start_date": trigger["start_date"], "timezone": trigger["zone"]}
        return {"type": "calendar", **units, **times, **begin}
    ends = {} if trigger.get("end") is None else {"end_time": _instant(trigger["end"])}
    start = {"start_time": _instant(trigger["start"])}
    if kind == "cron":
        return {"type": "cron", **trigger["fields"], "timezone": trigger["zone"], **start, **ends}
    every = {"seconds": trigger["every"] // SECOND, "microseconds": trigger["every"] % SECOND}
    return {"type": "interval", **every, **start, **ends}


def _instant(at: int) -> str:
    return moment(at).isoformat()
