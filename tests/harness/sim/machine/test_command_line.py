"""Command lines of Python: what comes from standard input, which options are kept, which are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.sim import World
from harness.sim.errors import NotSimulated, ThreadFailed
from harness.sim.machine.command_line import parse

pytestmark = pytest.mark.sim


def run(*words: str, **options: object) -> tuple[int, str, str]:
    """Exit code and streams of ``python WORDS``."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "argv"), [((), "['']"), (("-",), "['-']"), (("-", "a", "-b"), "['-', 'a', '-b']"), (("-u",), "['']")]
)
def test_a_program_comes_from_standard_input(world: object, words: tuple[str, ...], argv: str) -> None:
    """``python -``, and ``python`` alone, read all of it before they run it as ``__main__``."""
    code = "import sys\nprint(sys.argv, __name__, __file__, repr(sys.path[0]), repr(sys.stdin.read()))\n"
    assert run(*words, input=code) == (0, f"{argv} __main__ <stdin> '' ''\n", "")


def test_how_a_program_from_standard_input_ends(world: object) -> None:
    """Exit codes and tracebacks are those of any program; the file is called <stdin>."""
    assert run("-", input="raise SystemExit(4)")[0] == 4
    code, _, errors = run(input="def f():\n    1/0\nf()\n")
    assert (code, errors.splitlines()[-1]) == (1, "ZeroDivisionError: division by zero")
    assert 'File "<stdin>", line 3, in <module>' in errors


def test_a_program_comes_late(world: object, tmp_path: Path) -> None:
    """A pipe is waited for until it is closed; a file is read at once; nothing at all is a program, too."""
    with subprocess.Popen([sys.executable, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        child.stdin.write("print(1)\n")
        child.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.4)
        assert child.communicate("print(2)\n", timeout=60)[0] == "1\n2\n"
    (tmp_path / "program").write_text("print(3)")
    with (tmp_path / "program").open() as file:
        assert run(stdin=file) == (0, "3\n", "")
    assert run("-", stdin=subprocess.DEVNULL) == (0, "", "")


@pytest.mark.parametrize("option", ["-O", "-OO", "-uO", "-b", "-d", "-S", "-v", "-i", "-x", "-Q", "-We", "-W=error"])
def test_options_that_no_world_keeps_are_refused(sim: World, option: str) -> None:
    """What would go unheeded is refused by its name."""
    with pytest.raises(NotSimulated, match=f"option -{option.lstrip('-u')[0]}"):
        run(option, "-c", "pass")


@pytest.mark.parametrize("words", [("-W", "error"), ("-X", "dev"), ("-X", "faulthandler"), ("-Xutf8",), ("-X", "a=b")])
def test_options_with_an_argument_are_refused(sim: World, words: tuple[str, ...]) -> None:
    """``-W`` and ``-X`` are named with their argument."""
    with pytest.raises(NotSimulated, match=f"option -[WX] {words[-1].removeprefix('-X')} is not simulated"):
        run(*words, "-c", "pass")


def test_what_the_world_s_own_interpreter_has_is_taken() -> None:
    """A program that hands on the options it was started with is started."""
    code = (
        "import subprocess, sys\n"
        "from harness.sim import World\n"
        "given = ['-O', '-X', 'dev', '-Wignore::ImportWarning', '-b']\n"
        "told = 'import sys; print(sys.flags.optimize, __debug__, sys.flags.dev_mode, sys.flags.bytes_warning)'\n"
        "with World():\n"
        "    print(subprocess.run([sys.executable, *given, '-c', told], capture_output=True, text=True).stdout)\n"
    )
    assert run("-O", "-X", "dev", "-b", "-W", "ignore::ImportWarning", "-c", code)[:2] == (0, "1 False True 1\n\n")


def test_letters_and_arguments_that_are_glued() -> None:
    """``-umNAME``, ``-cCODE``, ``-Bc CODE`` are what they are to the real interpreter."""
    found = [parse(["python", *words]) for words in (["-umjson.tool", "a"], ["-cpass", "b"], ["-Bc", "pass"])]
    assert [(one.kind, one.what, one.argv, one.flags) for one in found] == [
        ("module", "json.tool", ("-m", "a"), "u"),
        ("code", "pass", ("-c", "b"), ""),
        ("code", "pass", ("-c",), "B"),
    ]


def test_an_input_from_outside_of_the_world_is_refused() -> None:
    """Who would read a program from what the test runner inherited might meet a terminal; so might a child's child."""
    with World(), pytest.raises(NotSimulated, match="interactive"):
        run("-")
    nested = f"import subprocess; subprocess.run([{sys.executable!r}])"
    with pytest.raises(ThreadFailed, match="interactive"), World():
        run("-c", nested)
