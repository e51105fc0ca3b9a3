"""Log set-up of a process: one line an event, for people (console) or for machines (JSON).

Called once by an entry point, never by a library module; those use ``logging.getLogger(__name__)``. What is
bound by ``structlog.contextvars.bind_contextvars(job_id=...)`` and what a call gives as ``extra={...}`` is on
the line.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path
from typing import Any

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from schedule_zero.errors import ConfigError
from schedule_zero.service_config import LogSettings

__all__ = ["configure_logging", "formatter"]

_MAX_BYTES = 20 * 1024 * 1024
_KEPT = 5


def configure_logging(settings: LogSettings, *, copy_to: Path | None = None, **context: Any) -> None:
    """Send all logging of this process to standard error, or to ``settings.file`` (rotated at 20 MiB, 5 kept).

    ``copy_to`` is one more file that gets every line. ``context`` (deployment, handler, ...) is on every
    line. Calling it again replaces the earlier set-up. Raises ConfigError when the file cannot be written.
    """
    handlers = [_handler(settings.file), *([_handler(copy_to)] if copy_to else [])]
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter(settings.format, colours=_is_terminal(handler), **context))
        root.addHandler(handler)
    root.setLevel(settings.level)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_common(context), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def formatter(style: str, *, colours: bool = False, **context: Any) -> logging.Formatter:
    """A formatter for ``console`` or ``json`` lines, with ``context`` on each."""
    rendering: list[Processor] = [ProcessorFormatter.remove_processors_meta]
    if style == "json":
        rendering += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        rendering.append(structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0))
    return ProcessorFormatter(foreign_pre_chain=[*_common(context), ExtraAdder()], processors=rendering)


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.handlers.RotatingFileHandler(file, "a", _MAX_BYTES, _KEPT, "utf-8")
    except OSError as error:
        raise ConfigError(f"log file {file}: cannot be written: {error}") from error


def _is_terminal(handler: logging.Handler) -> bool:
    return not isinstance(handler, logging.FileHandler) and sys.stderr.isatty()


def _common(context: dict[str, Any]) -> list[Processor]:
    def add_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**context, **event}

    return [
        structlog.contextvars.merge_contextvars,
        add_context,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
