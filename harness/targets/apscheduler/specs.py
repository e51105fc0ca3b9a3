"""A scenario's trigger as plain data with absolute times, which the model and the scheduler are both given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from harness.models import cron_fields, triggers, zones
from harness.targets.apscheduler.options import TriggerArgs


def micros(seconds: float) -> int:
    """Whole microseconds of a duration."""
    return round(seconds * zones.SECOND)


def trigger(args: TriggerArgs, now: int) -> dict[str, Any]:
    """The trigger that `args` ask for at `now` (µs since 1970), in the form of `harness.models.triggers.parse`.

    Raises `ValueError` for one that does not exist.
    """
    data = _trigger(args, now)
    triggers.parse(data)  # refuses cron fields, zones and dates that do not exist, before anybody is asked
    return data


def _trigger(args: TriggerArgs, now: int) -> dict[str, Any]:
    start = now + micros(args.after or 0.0)
    end = None if args.until is None else now + micros(args.until)
    if args.all_of or args.any_of:
        parts = [_trigger(part, now) for part in args.all_of or args.any_of]
        return {"kind": "and" if args.all_of else "or", "of": parts, "threshold": micros(args.threshold)}
    if args.every is not None:
        return {"kind": "interval", "every": micros(args.every), "start": start, "end": end}
    if args.cron is not None:
        fields = cron_fields.crontab(args.cron) if isinstance(args.cron, str) else dict(args.cron)
        # Cron knows whole seconds; the fraction of a start would be carried into the first times.
        whole = -(-start // zones.SECOND) * zones.SECOND
        return {"kind": "cron", "fields": fields, "zone": args.zone, "start": whole, "end": end}
    if args.calendar is not None:
        return _calendar(args, start)
    if args.at is not None:
        moment = datetime.fromisoformat(args.at)
        if moment.tzinfo is None:
            raise ValueError(f"`at` needs an offset, such as {args.at}Z")
        return {"kind": "date", "at": zones.micros(moment)}
    return {"kind": "date", "at": start}


def _calendar(args: TriggerArgs, start: int) -> dict[str, Any]:
    step = args.calendar
    assert step is not None
    today = zones.local(start, zones.zone(args.zone)).date().isoformat()
    return {
        "kind": "calendar",
        **{unit: getattr(step, unit) for unit in ("years", "months", "weeks", "days")},
        "time": [int(part) for part in step.time.split(":")],
        "zone": args.zone,
        "start_date": step.start_date or today,
    }
