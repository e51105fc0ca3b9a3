"""The command as a process of its own: what a shell can do to it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

SCENARIO = """\
scenario: 1
name: tick
about: Nothing much.
kind: regression
worlds: [sim]
seed: 3
target: {driver: apscheduler}
topology: {scheduler: {store: memory}}
given: [{op: schedule.add, with: {id: tick, every: 1s}}]
when: [{advance: 1500ms}]
then: [fires-as-modelled]
"""
SIGNALLED_WHILE_IT_IMPORTS = """
import os, signal, sys

_, sent, module, *sys.argv[1:] = sys.argv
signal.signal(signal.Signals[sent], signal.default_int_handler if sent == "SIGINT" else signal.SIG_DFL)

class Signal:
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), signal.Signals[sent])

sys.meta_path.insert(0, Signal())
from harness.__main__ import main
main()
"""
FULL = "harness: standard output cannot be written: No space left on device; send it elsewhere, or make room"
ROOT = Path(__file__).resolve().parents[2]
IMPORTED_FIRST = ("__init__", "__main__", "errors", "stopping")
READ_BY_OLD_PYTHONS = ("run_tests.py", *(f"harness/{name}.py" for name in IMPORTED_FIRST))
TOLD_THAT_IT_IS_OLD = """
import runpy, sys

sys.version_info = (3, 10, 13, "final", 0)
sys.version = "3.10.13 (main)"
sys.argv = sys.argv[1:]
if sys.argv[0] == "harness":
    runpy.run_module("harness", run_name="__main__")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def tick(tmp_path: Path) -> Path:
    """A scenario that passes in no time."""
    file = tmp_path / "tick.yaml"
    file.write_text(SCENARIO)
    return file


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``harness`` is this interpreter's."""
    command = line.replace("harness", f"{sys.executable} -m harness", 1)
    return subprocess.run(["sh", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def python(code: str, *words: str) -> tuple[int, str, str]:
    """Run a piece of Python with these arguments: exit code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_among_the_imports_ends_in_a_word(name: str) -> None:
    """No traceback and no silence: which signal it was, that nothing had begun, and the code of an interrupt."""
    found = python(SIGNALLED_WHILE_IT_IMPORTS, name, "harness.cli", "list")

    assert found == (130, "", f"harness: stopped by {name} before anything began\n")


def test_a_signal_while_a_run_is_planned_is_an_interrupt(tick: Path) -> None:
    """Files are being read, and no run has handlers of its own yet."""
    found = python(SIGNALLED_WHILE_IT_IMPORTS, "SIGTERM", "harness.planning", "run", str(tick))

    assert found == (130, "", "harness: interrupted\n")


def test_what_tells_an_old_python_can_be_read_by_it() -> None:
    """These files are in the language of Python 3.8, so that it can come to what tells."""
    for name in READ_BY_OLD_PYTHONS:
        tree = ast.parse((ROOT / name).read_text("utf-8"), name, feature_version=(3, 8))
        assert tree.body, f"{name} is empty"
    with pytest.raises(SyntaxError):  # what is younger is found
        ast.parse("match x:\n    case 1: pass\n", feature_version=(3, 8))


@pytest.mark.parametrize("what", ["harness", "run_tests.py"])
def test_an_old_python_is_told_what_is_needed(what: str) -> None:
    """One line, exit 2, instead of a traceback from some import."""
    found = python(TOLD_THAT_IT_IS_OLD, what)

    assert (found[0], found[1], found[2].rstrip(".\n")) == (
        2,
        "",
        f"{what}: Python 3.11 or newer is needed, this is 3.10.13",
    )


@pytest.mark.slow
def test_output_that_was_closed_before_the_start_is_not_missed(tick: Path) -> None:
    """Nobody wanted to read it."""
    closed = shell("harness run tick.yaml >&-", tick.parent)
    listed = shell("harness list . >&-", tick.parent)

    assert (closed.returncode, listed.returncode) == (0, 0), (closed, listed)
    assert listed.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("run tick.yaml -q", 5),
        ("run tick.yaml -q --json", 5),
        ("list . --json", 5),
        ("checks", 5),
        ("--help", 5),
        ("run tick.yaml -q --json --set when=[]", 1),  # no verdict but a broken check has this code
        ("run --nonsense --json", 2),
    ],
)
def test_output_that_cannot_be_written_is_told_in_one_line_and_is_no_success(tick: Path, line: str, code: int) -> None:
    """Whoever gets half of it is told by the exit code, unless that tells worse already; no traceback is anybody's
    answer."""
    full = shell(f"harness {line} >/dev/full", tick.parent)

    assert full.returncode == code, full.stderr
    assert [text for text in full.stderr.splitlines() if "cannot be written" in text] == [FULL]
    assert full.stderr.splitlines()[-1] == FULL
    assert "Traceback" not in full.stderr


def test_errors_that_nobody_can_be_told_change_no_exit_code(tick: Path) -> None:
    """A full standard error is no other mistake than the one that was to be told."""
    found = shell("harness validate nowhere.yaml --json 2>/dev/full", tick.parent)

    assert found.returncode == 2
    assert json.loads(found.stdout)["error"]["exit_code"] == 2


def test_a_reader_that_has_seen_enough_is_no_error(tick: Path) -> None:
    """A broken pipe is neither told nor counted."""
    found = shell("(harness schema; echo $? >&2) | head -n 1", tick.parent)

    assert (found.stdout, found.stderr) == ("{\n", "0\n")


def test_paths_are_utf_8_whatever_the_locale_is(tmp_path: Path) -> None:
    """Also where Python is told not to see to that: the same names, on the terminal and in JSON."""
    (tmp_path / "ö k.yaml").write_text(SCENARIO, "utf-8")
    line = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {} -m harness {} --json"
    done = [
        subprocess.run(
            ["sh", "-c", line.format(sys.executable, words)],
            cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False,
        )
        for words in ("validate 'ö k.yaml'", "validate ü.yaml", "run 'ö k.yaml' -q --report 'r ü'")
    ]  # fmt: skip

    assert [one.returncode for one in done] == [0, 2, 0], done
    assert json.loads(done[0].stdout) == [{"file": "ö k.yaml", "name": "tick"}]
    assert done[1].stderr == "harness: ü.yaml: no such file or folder\n"
    (run,) = json.loads(done[2].stdout)
    assert run["again"] == "harness run 'ö k.yaml' --world sim --seed 3"
    assert (tmp_path / run["report"] / "manifest.json").is_file()


@pytest.mark.parametrize("options", ["-X utf8=0", "-E -X utf8=0"])
def test_an_interpreter_that_heeds_no_utf_8_mode_goes_on_without(options: str) -> None:
    """It is not started anew for ever, and says what it was asked."""
    line = f"LC_ALL=POSIX PYTHONCOERCECLOCALE=0 exec {sys.executable} {options} -m harness --version"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("harness, version ")


def test_a_name_that_is_no_utf_8_is_told_and_no_error_of_ours(tick: Path) -> None:
    """As text in JSON, and as a mistake where reports are to be written."""
    odd = os.fsdecode(b"n\xff")
    command = [sys.executable, "-m", "harness"]
    done = [
        subprocess.run([*command, *words, "--json"], cwd=tick.parent, capture_output=True, text=True, check=False)
        for words in (["validate", odd], ["run", "tick.yaml", "--report", odd])
    ]

    assert [one.returncode for one in done] == [2, 2], done
    messages = [json.loads(one.stdout)["error"]["message"] for one in done]
    assert messages[0] == "n\ufffd: no such file or folder"
    assert messages[1].endswith("/n\ufffd: its name is no UTF-8; choose another with --report DIR")


def test_a_look_at_scenarios_waits_for_no_library_of_a_run(tmp_path: Path) -> None:
    """`harness validate` of a file without !faker imports neither Faker nor a scheduler."""
    (tmp_path / "tick.yaml").write_text(SCENARIO, "utf-8")
    code = (
        "import sys; from harness.__main__ import main\n"
        "sys.argv = ['harness', 'validate', 'tick.yaml']\n"
        "try: main()\n"
        "finally: print([name for name in ('faker', 'apscheduler', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60.0, check=False
    )
    assert (done.returncode, done.stdout) == (0, "tick.yaml: tick is a valid scenario\n[]\n"), done.stderr
