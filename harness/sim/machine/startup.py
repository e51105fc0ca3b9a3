"""The life of a simulated interpreter: from its start over its program to its exit code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import io
import os
import platform
import runpy
import signal
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import Killed, SimError
from harness.sim.machine import interpreter
from harness.sim.machine.command_line import Program
from harness.sim.machine.fileobjects import open_number, raw_of
from harness.sim.machine.files import REAL_IO_OPEN, RealFile, flush
from harness.sim.threads import shut_down

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.machine.state import OsState

_BROKEN_OUTPUT: Final = 120
"""Exit code when standard output cannot be flushed at the end (CPython's ``Py_FinalizeEx``)."""


@dataclass(frozen=True)
class Start:
    """How a child begins; `delay` in microseconds, `report` the pipe on which `subprocess` hears of a failure."""

    machine: Machine
    state: OsState
    program: Program
    delay: int
    preexec: Callable[[], object] | None
    report: int | None


def run(start: Start) -> int:
    """Everything that the main thread of a child does; returns the exit code."""
    if start.preexec is not None and not _prepared(start, start.preexec):
        return 255
    start.machine.kernel.sleep(start.delay)
    start.state.signals.begin_python()
    _set_up(start)
    code = _finish(start.state, _guarded(lambda: _begin(start.program)) or 0)
    if code < 0:
        start.state.process.kill(code)
    return code


def _prepared(start: Start, preexec: Callable[[], object]) -> bool:
    """Run ``preexec_fn``; False when it failed, which the parent is told."""
    assert start.report is not None
    try:
        preexec()
    except Exception:  # noqa: BLE001 - the parent hears of it, as from the real function
        os.write(start.report, b"SubprocessError:0:Exception occurred in preexec_fn.")
        return False
    finally:
        start.state.table.close(start.report)
    return True


# -- before the program


def _set_up(start: Start) -> None:
    """Standard streams, arguments, import path, as the interpreter sets them."""
    state, program = start.state, start.program
    unbuffered = "u" in program.flags or bool(interpreter.variable(program, "PYTHONUNBUFFERED"))
    encoding = interpreter.variable(program, "PYTHONIOENCODING").partition(":")[0] or "utf-8"
    sys.stdin = _stream(state, 0, "r", (encoding, "strict"), False)
    sys.stdout = _stream(state, 1, "w", (encoding, "strict"), unbuffered)
    sys.stderr = _stream(state, 2, "w", (encoding, "backslashreplace"), unbuffered)
    sys.argv = list(program.argv)
    sys.orig_argv = list(state.process.argv)
    interpreter.begin(program, state.machine.kernel.main.process)
    importlib.invalidate_caches()


def _stream(state: OsState, number: int, mode: str, codec: tuple[str, str], unbuffered: bool) -> Any:
    """A standard stream; `codec` is its encoding, then what is done about errors."""
    entry = state.table.entries.get(number)
    if entry is None:
        return None
    if isinstance(entry.file, RealFile):
        raw = REAL_IO_OPEN(entry.file.real, mode + "b", 0 if unbuffered else -1, closefd=False)
        state.files.add(raw)
    else:
        raw = open_number(number, mode + "b", 0 if unbuffered else -1, closefd=False)
        state.machine.keepers.add(raw_of(raw))
    stream = io.TextIOWrapper(raw, *codec, line_buffering=number == 2, write_through=unbuffered)
    stream.mode = mode  # type: ignore[misc]
    state.files.add(stream)
    return stream


def _customize(program: Program) -> None:
    """Import ``sitecustomize``, as `site` does; only one that PYTHONPATH brings can differ from the parent's."""
    places = [entry for entry in interpreter.variable(program, "PYTHONPATH").split(os.pathsep) if entry]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if spec is None or spec.loader is None:
        return
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except SimError:
        raise
    except Exception as error:  # noqa: BLE001 - site tells of it and goes on
        print("Error in sitecustomize; set PYTHONVERBOSE for traceback:", file=sys.stderr)
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


# -- the program


def _begin(program: Program) -> int | None:
    _customize(program)
    return _execute(program)


def _execute(program: Program) -> int | None:
    main = sys.modules["__main__"]
    space = main.__dict__
    if program.kind == "function":
        assert program.function is not None
        return program.function(list(program.argv))
    if program.kind == "version":
        print(f"Python {platform.python_version()}")
    elif program.kind == "code":
        exec(compile(program.what, "<string>", "exec"), space)  # noqa: S102 - it is what was asked for
    elif program.kind == "script":
        _run_script(program, space)
    elif program.kind == "input":
        _run_input(space)
    else:
        _run_module(program.what, space)
    return None


def _run_input(space: dict[str, Any]) -> None:
    """Run what comes from standard input, all of which is read before any of it is run."""
    source = b""
    while sys.stdin is not None and (more := os.read(0, io.DEFAULT_BUFFER_SIZE)):
        source += more
    space.update(__file__="<stdin>", __cached__=None)
    exec(compile(source, "<stdin>", "exec"), space)  # noqa: S102 - it is what was asked for


def _run_script(program: Program, space: dict[str, Any]) -> None:
    place = Path(program.what)
    if place.is_dir():
        sys.path[0 : 0 if interpreter.is_safe(program) else 1] = [str(place.resolve())]
        place /= "__main__.py"
    try:
        source = place.read_bytes()
    except OSError as error:
        why = f"can't open file {str(place.absolute())!r}: [Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: {why}", file=sys.stderr)
        raise SystemExit(2) from None
    space["__file__"] = str(place)
    exec(compile(source, str(place), "exec"), space)  # noqa: S102


def _run_module(name: str, space: dict[str, Any]) -> None:
    def fail(error: object) -> SystemExit:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return SystemExit(1)

    with warnings.catch_warnings():
        # It warns of modules that are imported already: here other processes have imported them.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            _, spec, code = runpy._get_module_details(name, fail)  # type: ignore[attr-defined]
        except AttributeError:  # a loader without get_code, such as pytest's
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            code = compile(Path(spec.origin).read_bytes(), spec.origin, "exec")
    sys.argv[0] = spec.origin
    space.update(
        __file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __package__=spec.parent, __spec__=spec
    )
    exec(code, space)  # noqa: S102


def _guarded(work: Callable[[], int | None]) -> int | None:
    """Run `work`; the exit code that what it raised stands for."""
    try:
        return work()
    except Killed:
        raise
    except SystemExit as error:
        return _code_of(error)
    except KeyboardInterrupt as error:
        _tell(error)
        return -signal.SIGINT
    except SimError:
        # A gap of the simulation must end the world, not look like a failure of the program.
        raise
    except BaseException as error:  # noqa: BLE001 - whatever ends a program ends it with 1
        _tell(error)
        return 1


def _code_of(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _tell(error: BaseException) -> None:
    """Print the traceback, without the frames of the simulation that stand before the program's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    with contextlib.suppress(OSError, ValueError):
        sys.excepthook(type(error), error.with_traceback(trace), trace)


# -- after the program


def _finish(state: OsState, code: int) -> int:
    """Wait for threads, run exit functions, flush: ``Py_FinalizeEx``."""
    ended = _guarded(shut_down)
    if ended is not None:
        code = ended
    while state.at_exit:
        function, args, kwargs = state.at_exit.pop()
        _guarded(lambda: _call(function, args, kwargs))  # noqa: B023 - called at once
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except (OSError, ValueError):
        code = _BROKEN_OUTPUT
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.flush()
    flush(state.files)
    if (main := sys.modules.get("__main__")) is not None:
        main.__dict__.clear()
    return code


def _call(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    function(*args, **kwargs)


class MainModule:
    """``sys.modules['__main__']`` as an attribute, so that every process has its own."""

    __slots__ = ()

    @property
    def value(self) -> types.ModuleType | None:
        """The running process's; None when it has taken it out, as workers of ``anyio.to_process`` do."""
        return sys.modules.get("__main__")

    @value.setter
    def value(self, module: types.ModuleType | None) -> None:
        """Put another one there."""
        if module is None:
            sys.modules.pop("__main__", None)
        else:
            sys.modules["__main__"] = module


def new_main() -> types.ModuleType:
    """An empty ``__main__``."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    return module
