"""How a command ends that went wrong: a sentence for people, an object for machines, and an exit code."""

from __future__ import annotations

import difflib
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from harness.errors import ExitCode, HarnessError
from harness.stopping import STOP_SIGNALS, begun

DEBUG = "HARNESS_DEBUG"
"""Set in the environment, an error that nobody expected shows its traceback."""
_JSON = "harness.json"
"""Key of what the command line asked for in click's context: JSON on standard output or not."""
Function = Callable[..., Any]


class Commands(click.Group):
    """A group that guesses which command was meant, and tells mistakes on the command line to machines too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether JSON is asked for: also a command line that cannot be read is answered with it."""
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that is named, or a mistake with the name that was probably meant."""
        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{guess}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake in an option says where its value came from."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if isinstance(error, click.BadParameter):
                _name_the_variable(error)
            if ctx.meta[_JSON]:
                click.echo(_dumps({"error": described(error, ExitCode(error.exit_code))}))
            raise


def _name_the_variable(error: click.BadParameter) -> None:
    """An option that was never typed is not what to look for: its environment variable is."""
    option = error.param
    if not isinstance(option, click.Option) or error.ctx is None or option.name is None:
        return
    if error.ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT:
        error.param_hint = f"the environment variable {option.envvar}, which stands for {option.opts[0]}"


def errors_as_exit_codes(function: Function) -> Function:
    """No traceback for a user's mistake: the message goes to standard error and the code is the error's own."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            begun()
            return function(*args, **kwargs)
        except HarnessError as error:
            end(error, error.exit_code)
        except KeyboardInterrupt as error:
            be_deaf()
            end(error, ExitCode.INTERRUPTED, "interrupted")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click's own way of ending, which it prints itself
        except BrokenPipeError:
            # Whoever read our output has seen enough (`harness list | head`);
            # the interpreter must not try to flush it again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(ExitCode.PASS)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            end(error, ExitCode.ERROR, f"{type(error).__name__}: {error} (set {DEBUG}=1 to see where)")

    return wrapped


def end(error: BaseException, code: ExitCode, message: str = "", **more: Any) -> NoReturn:
    """Tell `error` to people on standard error and, if JSON is asked for, to machines; then exit with `code`.

    `message` stands for the error's own text; `more` are further keys of the JSON object.
    """
    click.echo(f"harness: {message or error}", err=True)
    if click.get_current_context().find_root().meta.get(_JSON):
        click.echo(_dumps({"error": described(error, code, message), **more}))
    sys.exit(code)


def described(error: BaseException, code: ExitCode, message: str = "") -> dict[str, Any]:
    """`error` as JSON knows it. Each of its ``problems`` has a place in a file; most errors have none.

    >>> described(HarnessError("no"), ExitCode.ERROR)
    {'message': 'no', 'exit_code': 5, 'problems': []}
    """
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return {
        "message": message or text,
        "exit_code": int(code),
        "problems": [_problem(problem) for problem in getattr(error, "problems", ())],
    }


def _problem(problem: Any) -> dict[str, Any]:
    from harness.scenario.positions import dotted

    return {
        "file": problem.position.source.name,
        "line": problem.position.line,
        "column": problem.position.column,
        "path": dotted(problem.path),
        "message": problem.message,
        "expected": problem.expected,
        "found": problem.found,
        "hint": problem.hint,
    }


def _dumps(data: Any) -> str:
    from harness.report.jsonout import dumps

    return dumps(data)


def be_deaf() -> None:
    """Everything is done and told: one Ctrl-C more must not turn the exit code into that of a killed process."""
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
