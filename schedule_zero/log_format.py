"""Log records as lines: for people (console), for machines (JSON), never with a secret.

The standard library's records are formatted here and not by structlog, whose import takes a fifth of a second, which
every process of a deployment would pay at its start.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schedule_zero.log_context import current

__all__ = ["ConsoleFormatter", "JsonFormatter", "redacted"]

_SECRETS = re.compile(
    r"""(?P<bearer>\bbearer\s+)[^\s"',\\]+"""
    r"""|\bszt_[A-Za-z0-9_-]+"""
    r"""|(?P<url>://[^\s:/@"']*:)[^\s/@"']+(?=@)""",
    re.IGNORECASE,
)
#: What every record has; the rest came by ``extra={...}``.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31;1m"}
_PLAIN = "\x1b[0m"


def redacted(line: str) -> str:
    """The line without bearer tokens, tokens of this package, and passwords in URLs.

    The last line of defence: nothing logs them on purpose, but an error of a library may quote what it was given.

    >>> redacted("cannot reach postgresql://shop:pw@db/shop with szt_AbC")
    'cannot reach postgresql://shop:***@db/shop with ***'
    """
    return _SECRETS.sub(lambda match: f"{match['bearer'] or match['url'] or ''}***", line)


class _Formatter(logging.Formatter):
    """What both formats share; `context` is on every line of the process."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        super().__init__()
        self._context = dict(context)

    def ids(self, record: logging.LogRecord) -> dict[str, Any]:
        """The context of the process, of the work at hand, and of the call, the latter having the last word."""
        extra = {name: value for name, value in vars(record).items() if name not in _USUAL}
        return {**self._context, **current(), **extra}

    def trace(self, record: logging.LogRecord) -> str:
        """The traceback, and the stack where that was asked for; empty for none."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        return "\n".join([*parts, *([self.formatStack(record.stack_info)] if record.stack_info else [])])


class JsonFormatter(_Formatter):
    """One JSON object a line: timestamp, level, logger, event, the ids, and ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        trace = self.trace(record)
        event = {
            "timestamp": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **self.ids(record),
            **({"exception": trace} if trace else {}),
        }
        return redacted(json.dumps(event, default=str, ensure_ascii=False))


class ConsoleFormatter(_Formatter):
    """Instant, level, what happened, the ids; a traceback stands below."""

    def __init__(self, context: Mapping[str, Any], colours: bool = False) -> None:
        super().__init__(context)
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and its traceback as more of them."""
        level = f"{record.levelname.lower():<8}"
        if self._colours and record.levelname in _COLOURS:
            level = f"{_COLOURS[record.levelname]}{level}{_PLAIN}"
        # One line an event: what somebody else wrote into a message forges no second one.
        said = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        ids = {"logger": record.name, **self.ids(record)}
        shown = " ".join(f"{name}={_word(value)}" for name, value in ids.items())
        trace = self.trace(record)
        return redacted(f"{_instant(record)} {level} {said}  {shown}" + (f"\n{trace}" if trace else ""))


def _word(value: Any) -> str:
    text = str(value)
    return text if text and not re.search(r"[\s\"=]", text) else json.dumps(text, ensure_ascii=False)


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
