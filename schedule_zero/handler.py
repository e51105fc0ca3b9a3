"""A handler as a process: `python -m schedule_zero.handler --module M --class C --handler-id ID`.

Exit codes are those of `ExitCode`: 0 after SIGTERM, SIGINT or SIGQUIT and a drain, 2 for a class that cannot
be used, 3 for a port that is taken, 1 for anything unforeseen.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import queue
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from schedule_zero.errors import ConfigError, PortTaken
from schedule_zero.exits import ExitCode, leave
from schedule_zero.files import write_atomically
from schedule_zero.lifeline import Lifeline, forget_pid_file
from schedule_zero.log_settings import FORMATS, LogSettings
from schedule_zero.logs import configure_logging
from schedule_zero.zmq_handler_base import BaseHandler

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one handler until it is told to stop; returns the exit code. Needs the main thread, for the
    signals.
    """
    options = make_parser().parse_args(argv)
    _set_up_logging(options)
    try:
        handler = build_handler(options)
        return _serve(handler, options)
    except ConfigError as error:
        return _fail(ExitCode.CONFIG, str(error))
    except PortTaken as error:
        return _fail(ExitCode.PORT_TAKEN, str(error))


def build_handler(options: argparse.Namespace) -> BaseHandler:
    """The handler that the options describe.

    Raises:
        ConfigError: the class cannot be imported, is no `BaseHandler`, or does not take the options.
    """
    kind = load_class(options.module, options.class_name)
    config = _config(options.config_json)
    config.setdefault("concurrency", options.concurrency)
    config |= _security(options)
    try:
        return kind(options.handler_id, options.port, options.server, options.host, **config)
    except TypeError as error:
        raise ConfigError(
            f"{options.module}.{options.class_name} cannot be made with {sorted(config)}: {error}"
        ) from error


def _security(options: argparse.Namespace) -> dict[str, Any]:
    """Only what is asked for: a class that takes no keys can do without."""
    chosen: dict[str, Any] = {"advertise": options.advertise} if options.advertise else {}
    if options.keys is not None:
        # Only here: it brings the readers of configuration files along, which cost a start some 30 ms.
        from schedule_zero.security.server_keys import handler_keys

        chosen["secure"] = handler_keys(options.keys, options.handler_id)
    return {**chosen, "insecure": True} if options.insecure else chosen


def load_class(module_name: str, class_name: str) -> type[BaseHandler]:
    """Import a handler class.

    Raises:
        ConfigError: no such module or class, the module fails, or the class is no `BaseHandler`.
    """
    # As `python -m` does: the module may lie where the process was started.
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(f"cannot import {module_name!r}: {type(error).__name__}: {error}") from error
    kind = getattr(module, class_name, None)
    if kind is None:
        raise ConfigError(f"module {module_name!r} has no class {class_name!r}")
    if not (isinstance(kind, type) and issubclass(kind, BaseHandler)):
        raise ConfigError(f"{module_name}.{class_name} must be a subclass of schedule_zero's BaseHandler")
    return kind


def _serve(handler: BaseHandler, options: argparse.Namespace) -> int:
    # Its put() may be called from a signal handler, which Event.set() may not: that could meet its own lock.
    reasons: queue.SimpleQueue[str] = queue.SimpleQueue()
    lifeline = _lifeline(options.lifeline_fd, reasons)

    def on_signal(number: int, _: FrameType | None) -> None:
        reasons.put(signal.Signals(number).name)

    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        handler.start()
        if options.runtime_file is not None:
            _write_runtime_file(options.runtime_file, handler)
        reason = _wait(handler, reasons)
        logger.info("handler %s stops: %s", handler.handler_id, reason or "its socket ended")
        handler.stop(options.stop_timeout)
    finally:
        if lifeline is not None:
            lifeline.close()
            if lifeline.lost:
                forget_pid_file()
        for number, action in previous.items():
            signal.signal(number, action)
    return ExitCode.OK if reason else _fail(ExitCode.CRASH, "the handler's socket ended by itself")


def _wait(handler: BaseHandler, reasons: queue.SimpleQueue[str]) -> str:
    while handler.is_running:
        with contextlib.suppress(queue.Empty):
            return reasons.get(timeout=1.0)
    return ""


def _lifeline(fd: int | None, reasons: queue.SimpleQueue[str]) -> Lifeline | None:
    if fd is None:
        return None
    lifeline = Lifeline(fd, lambda: reasons.put("the parent process is gone"))
    try:
        lifeline.start()
    except OSError as error:
        raise ConfigError(f"--lifeline-fd {fd} is no open descriptor: {error}") from error
    return lifeline


def _write_runtime_file(path: Path, handler: BaseHandler) -> None:
    facts = {
        "pid": os.getpid(),
        "handler_id": handler.handler_id,
        "port": handler.port,
        "address": handler.address,
        "incarnation": handler.incarnation,
    }
    try:
        write_atomically(path, json.dumps(facts) + "\n")
    except OSError as error:
        handler.stop(0.0)
        raise ConfigError(f"cannot write --runtime-file {path}: {error}") from error


def _config(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--config-json is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"--config-json must be an object, found {type(config).__name__}")
    return config


def _set_up_logging(options: argparse.Namespace) -> None:
    level = options.log_level.upper()
    settings = LogSettings(level if level in logging.getLevelNamesMapping() else "INFO", options.log_format)
    ids = {"deployment": os.environ.get("SCHEDULEZERO_DEPLOYMENT") or None, "handler": options.handler_id}
    configure_logging(settings, process="handler", **{name: value for name, value in ids.items() if value})


def _fail(code: ExitCode, message: str) -> int:
    print(f"schedule-zero handler: {message}".splitlines()[0], file=sys.stderr)
    return int(code)


def make_parser() -> argparse.ArgumentParser:
    """The options of this command."""
    parser = argparse.ArgumentParser(
        prog="schedule-zero-handler", description="Run one handler until it is told to stop."
    )
    parser.add_argument("--module", required=True, help="where the handler's class is, as in an import")
    parser.add_argument("--class", dest="class_name", required=True, help="its name")
    parser.add_argument("--handler-id", required=True, help="the id under which it registers")
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on; 0 (the default) takes any free one"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--advertise", help="host that callers are told, when it is not --host")
    keys = os.environ.get("SCHEDULEZERO_KEYS_PATH")
    parser.add_argument(
        "--keys", type=Path, default=Path(keys) if keys else None, help="folder with ID.key and server.pub (CURVE)"
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=os.environ.get("SCHEDULEZERO_INSECURE", "").lower() in ("true", "1"),
        help="listen beyond loopback without keys",
    )
    parser.add_argument(
        "--server", help="registration server, such as tcp://127.0.0.1:4242; none: do not register"
    )
    parser.add_argument(
        "--concurrency", type=int, default=4, help="calls that run at the same time (%(default)s)"
    )
    parser.add_argument(
        "--config-json", default="{}", help="further keyword arguments of the class, as a JSON object"
    )
    parser.add_argument(
        "--stop-timeout", type=float, default=5.0, help="seconds for calls to finish (%(default)s)"
    )
    parser.add_argument(
        "--lifeline-fd", type=int, help="descriptor of a pipe whose end means that the parent died"
    )
    parser.add_argument(
        "--runtime-file", type=Path, help="write pid, port and address here, as JSON, when ready"
    )
    parser.add_argument(
        "--log-level", default=os.environ.get("LOG_LEVEL", "INFO"), help="DEBUG, INFO, ... (%(default)s)"
    )
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=os.environ.get("SCHEDULEZERO_LOG_FORMAT") or "console",
        help="how log lines look (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    leave(main())
