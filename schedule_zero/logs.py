"""Log set-up of a process: one line an event, for people (console) or for machines (JSON).

Called once by an entry point, never by a library module; those use ``logging.getLogger(__name__)``. What is bound by
`log_context`, and what a call gives as ``extra={...}``, is on the line.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from schedule_zero.errors import ConfigError
from schedule_zero.files import make_folder
from schedule_zero.log_file import LogFile
from schedule_zero.log_format import ConsoleFormatter, JsonFormatter
from schedule_zero.log_settings import LogSettings

__all__ = ["configure_logging", "formatter"]


def configure_logging(settings: LogSettings, *, copy_to: Path | None = None, **context: Any) -> None:
    """Send all logging of this process to standard error, or to ``settings.file``.

    ``copy_to`` is one more file that gets every line. ``context`` (deployment, process, handler) is on every line.
    Calling it again replaces the earlier set-up. Raises ConfigError when a file cannot be written.
    """
    handlers = [_handler(settings.file, settings), *([_handler(copy_to, settings)] if copy_to else [])]
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter(settings.format, colours=_is_terminal(handler), **context))
        root.addHandler(handler)
    root.setLevel(settings.level)


def formatter(style: str, *, colours: bool = False, **context: Any) -> logging.Formatter:
    """A formatter for ``console`` or ``json`` lines, with ``context`` on each."""
    return JsonFormatter(context) if style == "json" else ConsoleFormatter(context, colours)


def _handler(file: Path | None, settings: LogSettings) -> logging.Handler:
    if file is None:
        return logging.StreamHandler()
    try:
        make_folder(file.parent)
        return LogFile(file, settings.max_bytes, settings.backups)
    except OSError as error:
        raise ConfigError(f"log file {file}: cannot be written: {error}") from error


def _is_terminal(handler: logging.Handler) -> bool:
    return not isinstance(handler, logging.FileHandler) and sys.stderr.isatty()
