"""The fields of the form for a new schedule: their names, labels and hints."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FIELDS", "GROUPS", "TYPES", "Field"]


@dataclass(frozen=True)
class Field:
    """One field. `name` is its name in the form; `kind` the type of its input, or select, area or check.

    `choices` are those of a select; `usual` is what a fresh form shows.
    """

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    usual: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    example: str = ""
    #: The id of the list of suggestions.
    suggest: str = ""
    required: bool = False
    narrow: bool = False

    @property
    def id(self) -> str:
        """The id of its element."""
        return "f-" + self.name.replace(".", "-")


TYPES = (
    ("interval", "Every so often", "every 5 minutes"),
    ("cron", "By the clock", "a cron expression"),
    ("calendar", "By the calendar", "every month at 04:00"),
    ("date", "Once", "at a date and time"),
)


def _amounts(prefix: str, *units: str, usual: str = "") -> tuple[Field, ...]:
    return tuple(
        Field(f"{prefix}.{unit}", unit.capitalize(), kind="number", narrow=True, usual="5" if unit == usual else "")
        for unit in units
    )


def _clock(prefix: str, *names: str) -> tuple[Field, ...]:
    return tuple(
        Field(f"{prefix}.{name}", name.replace("_", " ").capitalize(), narrow=True, example="*") for name in names
    )


_START, _END = "Begins at", "Ends at"
GROUPS: dict[str, tuple[Field, ...]] = {
    "what": (
        Field("handler_id", "Handler", "Who does the work.", kind="select", required=True),
        Field("job_method", "Method", "What it is to do.", suggest="methods", required=True),
        Field("job_id", "Id", "Its name; one is made up if you leave it empty.", example="nightly-report"),
        Field("job_params", "Parameters", "A JSON object; its names are the method's parameters.", "area", usual="{}"),
    ),
    "interval": _amounts("interval", "weeks", "days", "hours", "minutes", "seconds", usual="minutes"),
    "interval more": (
        Field("interval.start_time", _START, "Now, if empty.", "datetime-local"),
        Field("interval.end_time", _END, "Never, if empty.", "datetime-local"),
    ),
    "cron": (
        Field(
            "cron.crontab",
            "Cron expression",
            "Minute, hour, day, month, day of week. Leave it empty to use the fields below.",
            example="30 3 * * mon-fri",
        ),
    ),
    "cron more": (
        *_clock("cron", "year", "month", "day", "week", "day_of_week", "hour", "minute", "second"),
        Field("cron.start_time", _START, "Now, if empty.", "datetime-local"),
        Field("cron.end_time", _END, "Never, if empty.", "datetime-local"),
    ),
    "calendar": (
        *_amounts("calendar", "years", "months", "weeks", "days"),
        Field("calendar.time", "Time of day", "00:00, if empty.", "time"),
    ),
    "calendar more": (
        Field("calendar.start_date", "First day", "Today, if empty.", "date"),
        Field("calendar.end_date", "Last day", "None, if empty.", "date"),
    ),
    "date": (Field("date.run_date", "Date and time", kind="datetime-local", required=True),),
    "zone": (
        Field("timezone", "Time zone", "Of all times above.", usual="UTC", suggest="zones", example="Europe/Berlin"),
    ),
    "more": (
        Field(
            "misfire_grace_time",
            "Latest start",
            "Seconds after its time; a run that is later than that is missed. Empty: as the deployment has it.",
            "number",
        ),
        Field(
            "coalesce",
            "If several runs were missed",
            "",
            "select",
            "latest",
            (("latest", "run the latest"), ("earliest", "run the earliest"), ("all", "run all of them")),
        ),
        Field("max_running_jobs", "Runs at a time", "No limit of its own, if empty.", "number"),
        Field("max_jitter", "Jitter", "Each run is put off by up to so many seconds.", "number"),
        Field("timeout", "Time-out", "Seconds for one attempt. Empty: as the deployment has it.", "number"),
        Field("deadline", "Deadline", "Seconds for all attempts together.", "number"),
        Field("attempts", "Attempts", "Empty: as the deployment has it.", "number"),
        Field("retry_errors", "Try again also when the handler answers with an error", kind="check"),
        Field("at_most_once", "Never run the same job twice, even if that means not at all", kind="check"),
        Field("paused", "Add it paused", kind="check"),
    ),
}
FIELDS = {field.name: field for group in GROUPS.values() for field in group}
