"""Behaviours from plain data, as a scenario file or an agent's command writes them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeVar

from harness.errors import UsageError
from harness.mocks.answers import AtEnd, Behaviour, Echo, Error, Replies, Reply
from harness.mocks.composition import Flaky, Script, Slow, When
from harness.mocks.distributions import percentiles
from harness.mocks.misbehaviours import (
    Die,
    DuplicateReply,
    Garbage,
    Late,
    Malformed,
    Oversize,
    Schema,
    Silent,
    WrongSchema,
)
from harness.mocks.plan import Moment
from harness.scenario.values import Count, parse_duration

_Word = TypeVar("_Word", bound=StrEnum)


def parse(data: Any) -> Behaviour:
    """The behaviour that `data` describes: a word, a mapping of one word to its arguments, or a list (a
    script).

    Durations are text with a unit or seconds, odds are ``5%`` or a number from 0 to 1. What a behaviour is
    wrapped around stands under ``then``. Raises `UsageError` that says what was found and what is known.

    Example:
        >>> parse("echo")
        Echo()
        >>> parse({"slow": {"p50": "20ms", "p99": "200ms", "then": {"error": "no"}}}).inner
        Error(message='no', code='call_failed')
        >>> parse([{"calls": "1..2", "do": "silent"}, {"do": "echo"}]).lines[0].last
        2
    """
    if isinstance(data, Behaviour):
        return data
    if isinstance(data, str):
        return _maker(data)({})
    if isinstance(data, Mapping) and len(data) == 1:
        [(word, args)] = data.items()
        return _maker(word)({} if args is None or args is True else args)
    if isinstance(data, Sequence) and not isinstance(data, bytes):
        return _script(data)
    raise UsageError(f"expected a behaviour such as echo, {{slow: 250ms}} or a list of lines, found {data!r}")


def words() -> tuple[str, ...]:
    """The words that `parse` knows, in alphabetical order."""
    return tuple(sorted(_MAKERS))


def _maker(word: Any) -> Callable[[Any], Behaviour]:
    if word not in _MAKERS:
        near = difflib.get_close_matches(str(word), _MAKERS, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"there is no behaviour {word!r}; {guess}known are: {', '.join(words())}")
    return _MAKERS[word]


def _arguments(word: str, args: Any, short: str, *known: str) -> dict[str, Any]:
    """`args` as a mapping with keys out of `known`; anything but a mapping is the value of `short`."""
    if not isinstance(args, Mapping):
        args = {short: args}
    unknown = [key for key in args if key not in (short, *known)]
    if unknown:
        raise UsageError(f"{word} takes {', '.join((short, *known))}; found {unknown[0]!r}")
    return dict(args)


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected a duration such as 250ms, found {value!r}") from error


def _odds(value: Any) -> float:
    try:
        return float(value.rstrip(" %")) / 100 if isinstance(value, str) else float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected odds such as 5%, found {value!r}") from error


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{what} is a whole number, found {value!r}")
    return value


def _choice(kind: type[_Word], value: Any) -> _Word:
    try:
        return kind(value)
    except ValueError as error:
        raise UsageError(f"expected one of {', '.join(kind)}; found {value!r}") from error


def _error(args: Any) -> Behaviour:
    return Error(**_arguments("error", args, "message", "code"))


def _replies(args: Any) -> Behaviour:
    given = _arguments("replies", args, "items", "at_end")
    if not isinstance(given.get("items"), Sequence) or isinstance(given["items"], str):
        raise UsageError(f"replies takes a list, found {given.get('items')!r}")
    items = tuple(parse(i["do"]) if isinstance(i, Mapping) and set(i) == {"do"} else i for i in given["items"])
    return Replies(items, _choice(AtEnd, given.get("at_end", AtEnd.LAST)))


def _slow(args: Any) -> Behaviour:
    given = _arguments("slow", args, "p50", "p99", "then")
    if "p50" not in given:
        raise UsageError("slow takes a duration, or p50 and p99: how slow?")
    p99 = None if given.get("p99") is None else _seconds(given["p99"])
    return Slow(percentiles(_seconds(given["p50"]), p99), parse(given.get("then", "echo")))


def _flaky(args: Any) -> Behaviour:
    given = _arguments("flaky", args, "odds", "then", "failure")
    if "odds" not in given:
        raise UsageError("flaky takes odds such as 5%")
    failure = {"failure": parse(given["failure"])} if "failure" in given else {}
    return Flaky(_odds(given["odds"]), parse(given.get("then", "echo")), **failure)


def _silent(args: Any) -> Behaviour:
    ping = _arguments("silent", args, "ping").get("ping", True)
    if not isinstance(ping, bool):
        raise UsageError(f"silent: ping is true or false, found {ping!r}")
    return Silent(ping)


def _duplicate(args: Any) -> Behaviour:
    given = _arguments("duplicate-reply", args, "times", "gap", "then")
    times = _whole(given.get("times", 2), "times")
    return DuplicateReply(parse(given.get("then", "echo")), times, _seconds(given.get("gap", 0.0)))


def _late(args: Any) -> Behaviour:
    given = _arguments("late", args, "by", "then")
    by = given.get("by")
    return Late(None if by in (None, "next-call") else _seconds(by), parse(given.get("then", "echo")))


def _die(args: Any) -> Behaviour:
    given = _arguments("die", args, "moment", "then")
    return Die(_choice(Moment, given.get("moment", Moment.DURING)), parse(given.get("then", "echo")))


def _garbage(args: Any) -> Behaviour:
    given = _arguments("malformed", args, "variant")
    return Malformed(_choice(Garbage, given.get("variant", Garbage.NOT_JSON)))


def _schema(args: Any) -> Behaviour:
    given = _arguments("wrong-schema", args, "variant")
    return WrongSchema(_choice(Schema, given.get("variant", Schema.NO_SUCCESS)))


def _oversize(args: Any) -> Behaviour:
    given = _arguments("oversize", args, "bytes")
    return Oversize(_whole(given["bytes"], "bytes")) if given else Oversize()


def _plain(word: str, made: Behaviour) -> Callable[[Any], Behaviour]:
    def make(args: Any) -> Behaviour:
        if args != {}:
            raise UsageError(f"{word} takes no arguments, found {args!r}")
        return made

    return make


_MAKERS: Final[Mapping[str, Callable[[Any], Behaviour]]] = {
    "echo": _plain("echo", Echo()),
    "not-json": _plain("not-json", Malformed(Garbage.NOT_JSON)),
    "no-delimiter": _plain("no-delimiter", Malformed(Garbage.NO_DELIMITER)),
    "reply": lambda args: Reply(None if args == {} else args),
    "replies": _replies,
    "error": _error,
    "slow": _slow,
    "flaky": _flaky,
    "silent": _silent,
    "duplicate-reply": _duplicate,
    "late": _late,
    "die": _die,
    "malformed": _garbage,
    "wrong-schema": _schema,
    "oversize": _oversize,
}


def _script(lines: Sequence[Any]) -> Behaviour:
    made, otherwise = [], Echo()
    for number, line in enumerate(lines, 1):
        if not isinstance(line, Mapping) or "do" not in line:
            raise UsageError(f"line {number} of a script needs `do`; found {line!r}")
        unknown = [key for key in line if key not in ("do", "calls", "method", "odds")]
        if unknown:
            raise UsageError(f"line {number} of a script takes do, calls, method, odds; found {unknown[0]!r}")
        made.append(_line(line))
    return Script(tuple(made), otherwise)


def _line(line: Mapping[str, Any]) -> When:
    first, last = 1, None
    if "calls" in line:
        try:
            calls = Count.parse(str(line["calls"]))
        except ValueError as error:
            raise UsageError(str(error)) from error
        first, last = calls.low, calls.high
    method = None if line.get("method") is None else str(line["method"])
    return When(parse(line["do"]), first, last, method, _odds(line.get("odds", 1.0)))
