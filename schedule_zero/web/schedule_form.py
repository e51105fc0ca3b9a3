"""From what somebody entered into the form to a schedule, and from what is wrong with it to the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from schedule_zero.api.bodies import decode_json
from schedule_zero.api.trigger_bodies import check_trigger
from schedule_zero.errors import UnknownHandler
from schedule_zero.refusals import AlreadyExists, IdempotencyConflict, InvalidRequest
from schedule_zero.requests import NewSchedule
from schedule_zero.triggers import build_trigger
from schedule_zero.web.form_fields import FIELDS, GROUPS, TYPES, Field

__all__ = ["ScheduleForm", "Wrong", "fire_times"]

T = TypeVar("T")
_TYPES = tuple(name for name, _, _ in TYPES)
#: Fire times that a preview shows.
_PREVIEW = 5


class Wrong(Exception):
    """A field holds what it cannot hold."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass
class ScheduleForm:
    """What was entered, and what is wrong with it: ``errors`` by field, under the empty name what is no field's."""

    entered: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def fresh(cls, **given: str) -> ScheduleForm:
        """A form that nobody has filled in yet, but for what is `given`."""
        usual = {name: item.usual for name, item in FIELDS.items() if item.usual}
        return cls({"type": "interval", **usual, **{name: text for name, text in given.items() if text}})

    def value(self, item: Field) -> str:
        """What stands in a field."""
        return self.entered.get(item.name, "")

    @property
    def type(self) -> str:
        """The type of trigger that is chosen."""
        chosen = self.entered.get("type", "")
        return chosen if chosen in _TYPES else "interval"

    def opened(self, group: str) -> bool:
        """Whether a folded group has something in it that has to be seen."""
        return any(item.name in self.errors or self.value(item) not in ("", item.usual) for item in GROUPS[group])

    def trigger(self) -> dict[str, Any]:
        """The trigger as the API takes it. Raises `Wrong`, `InvalidRequest`."""
        kind = self.type
        spec: dict[str, Any] = {"type": kind, **dict(_TRIGGERS[kind](self, self._zone()))}
        if kind in ("cron", "calendar"):
            spec["timezone"] = self._text("timezone") or "UTC"
        check_trigger(spec)
        return spec

    def request(self) -> NewSchedule:
        """The schedule. Raises `Wrong`, `InvalidRequest`, `msgspec.ValidationError`; everything that is wrong by itself
        is in `errors` then.
        """
        body: dict[str, Any] = {"trigger": self._checked(self.trigger), "job_params": self._checked(self._params)}
        for name in ("handler_id", "job_method", "job_id", "coalesce"):
            if self._text(name):
                body[name] = self._text(name)
            elif FIELDS[name].required:
                self.errors[name] = "This is needed."
        for name in ("misfire_grace_time", "max_running_jobs", "max_jitter", "timeout", "deadline", "attempts"):
            if (number := self._checked(partial(self._number, name))) is not None:
                body[name] = number
        if self.errors:
            raise Wrong(*next(iter(self.errors.items())))
        body |= {name: True for name in ("at_most_once", "paused") if self._text(name)}
        retry = {"attempts": body.pop("attempts")} if "attempts" in body else {}
        if self._text("retry_errors"):
            retry["retry_errors"] = True
        return msgspec.convert(body | ({"retry": retry} if retry else {}), NewSchedule)

    def _checked(self, part: Callable[[], T]) -> T | None:
        try:
            return part()
        except (Wrong, InvalidRequest) as error:
            self.blame(error)
            return None

    def blame(self, error: Exception) -> None:
        """Put an error beside the field that it is about; raises it again if it is not the form's."""
        if isinstance(error, Wrong):
            self.errors[error.field] = str(error)
        elif isinstance(error, InvalidRequest):
            self._put(error.field, error.reason)
        elif isinstance(error, msgspec.ValidationError):
            detail, _, place = str(error).partition(" - at ")
            self._put(place.strip("`").removeprefix("$").removeprefix("."), detail)
        elif isinstance(error, AlreadyExists):
            self.errors["job_id"] = "There is a schedule with this id already. Choose another."
        elif isinstance(error, UnknownHandler):
            self.errors["handler_id"] = "No handler has registered under this id."
        elif isinstance(error, IdempotencyConflict):
            self.errors[""] = "This form was sent before with other entries. Send it again to add another one."
        else:
            raise error

    def _put(self, place: str, detail: str) -> None:
        """`place` as the API names it: ``trigger.hour``, ``retry.attempts``, ``job_id``."""
        plain = detail.replace("`", "")
        head, _, last = place.rpartition(".")
        if head == "trigger":
            last = "time" if self.type == "calendar" and last in ("hour", "minute", "second") else last
            names = [f"{self.type}.{last}", last]
        else:
            names = [last]
        name = next((name for name in names if name in FIELDS), "trigger" if place.startswith("trigger") else "")
        self.errors[name] = plain[:1].upper() + plain[1:] + ("" if plain.endswith((".", "?")) else ".")

    def _text(self, name: str) -> str:
        return self.entered.get(name, "").strip()

    def _number(self, name: str) -> int | float | None:
        text = self._text(name)
        if not text:
            return None
        for kind in (int, float):
            try:
                number = kind(text)
            except ValueError:
                continue
            if abs(number) < 1e15:
                return number
        raise Wrong(name, f"Expected a number, found {text[:40]!r}.")

    def _params(self) -> dict[str, Any]:
        text = self._text("job_params") or "{}"
        try:
            value = decode_json(text.encode())
        except msgspec.DecodeError as error:
            raise Wrong("job_params", f"This is not JSON: {_place(text) or error}.") from None
        except RecursionError:
            raise Wrong("job_params", "This is nested too deeply.") from None
        if not isinstance(value, dict):
            raise Wrong("job_params", 'Expected a JSON object such as {"name": "value"}.')
        return value

    def _zone(self) -> ZoneInfo:
        name = self._text("timezone") or "UTC"
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise Wrong("timezone", f"There is no time zone {name[:60]!r}; Europe/Berlin and UTC are some.") from None

    def instant(self, name: str, zone: ZoneInfo) -> str | None:
        """A date and time that was entered, with its offset."""
        text = self._text(name)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).isoformat()
        except (ValueError, OverflowError):
            raise Wrong(name, f"Expected a date and time such as 2030-01-31T18:00, found {text[:40]!r}.") from None


def fire_times(spec: Mapping[str, Any]) -> list[datetime]:
    """The first fire times of a trigger. Raises `InvalidRequest`."""
    trigger = build_trigger(spec)
    found: list[datetime] = []
    try:
        while len(found) < _PREVIEW and (at := trigger.next()) is not None:
            found.append(at)
    except Exception as error:
        raise InvalidRequest("trigger", f"its fire times cannot be computed: {error}") from error
    return found


_Part = Iterator[tuple[str, Any]]


def _given(*parts: tuple[str, Any]) -> _Part:
    return ((name, value) for name, value in parts if value is not None)


def _interval(form: ScheduleForm, zone: ZoneInfo) -> _Part:
    amounts = [(item.name.partition(".")[2], form._number(item.name)) for item in GROUPS["interval"]]
    if not any(value for _, value in amounts):
        raise Wrong("trigger", "Enter how often: one of the amounts must be more than zero.")
    bounds = [(name, form.instant(f"interval.{name}", zone)) for name in ("start_time", "end_time")]
    return _given(*amounts, *bounds)


def _cron(form: ScheduleForm, zone: ZoneInfo) -> _Part:
    names = ("crontab", "year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
    given = [(name, form._text(f"cron.{name}")) for name in names]
    values = [(name, int(text) if name != "crontab" and _is_whole(text) else text) for name, text in given if text]
    if not values:
        raise Wrong("cron.crontab", "Enter when: an expression such as 30 3 * * mon-fri, or the fields below.")
    bounds = [(name, form.instant(f"cron.{name}", zone)) for name in ("start_time", "end_time")]
    return _given(*values, *bounds)


def _calendar(form: ScheduleForm, zone: ZoneInfo) -> _Part:
    units = ("years", "months", "weeks", "days")
    amounts = [(name, form._number(f"calendar.{name}")) for name in units]
    if not any(value for _, value in amounts):
        raise Wrong("trigger", "Enter how often: one of the amounts must be more than zero.")
    clock: list[tuple[str, Any]] = []
    if text := form._text("calendar.time"):
        parts = text.split(":")
        if not 2 <= len(parts) <= 3 or not all(map(_is_whole, parts)):
            raise Wrong("calendar.time", f"Expected a time such as 04:30, found {text[:40]!r}.")
        clock = list(zip(("hour", "minute", "second"), map(int, parts), strict=False))
    days = [(name, form._text(f"calendar.{name}") or None) for name in ("start_date", "end_date")]
    return _given(*amounts, *clock, *days)


def _date(form: ScheduleForm, zone: ZoneInfo) -> _Part:
    at = form.instant("date.run_date", zone)
    if at is None:
        raise Wrong("date.run_date", "This is needed.")
    return _given(("run_date", at))


_TRIGGERS = {"interval": _interval, "cron": _cron, "calendar": _calendar, "date": _date}


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9


def _place(text: str) -> str:
    """What is wrong in which line and column, where Python's own reader minds it as well."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} in line {error.lineno}, column {error.colno}"
    except RecursionError:
        pass  # nested too deeply, which the reason says already: no line is wrong
    return ""
