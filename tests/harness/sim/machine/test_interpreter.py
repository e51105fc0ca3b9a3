"""Options of the interpreter that a simulated process has for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sim import World

pytestmark = pytest.mark.sim

FIELDS = "no_user_site ignore_environment quiet isolated safe_path optimize hash_randomization"
SHOWN = f"import sys; print(*(int(getattr(sys.flags, name)) for name in {FIELDS.split()!r}))"


def run(*words: str, **options: object) -> str:
    """What ``python WORDS`` prints; it must succeed."""
    command = [sys.executable, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True, **options)  # type: ignore[call-overload]
    return str(done.stdout)


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("-E", "0 1 0 0 0 0 1"),
        ("-I", "1 1 0 1 1 0 1"),
        ("-P", "0 0 0 0 1 0 1"),
        ("-Bqsu", "1 0 1 0 0 0 1"),
    ],
)
def test_flags_tell_the_options(world: object, option: str, shown: str) -> None:
    """``sys.flags`` is the child's own."""
    before = sys.flags
    assert run(option, "-c", SHOWN) == f"{shown}\n"
    assert sys.flags is before


def test_bytecode_is_not_written(world: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """-B is told by both names that Python has for it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert run("-B", "-c", "import sys; print(sys.flags.dont_write_bytecode, sys.dont_write_bytecode)") == "1 True\n"
    assert not sys.dont_write_bytecode


def test_flags_look_like_the_real_ones(world: object) -> None:
    """They are a tuple that shows its fields in the order of this Python."""
    shown = repr(sys.flags).replace("quiet=0", "quiet=1")
    assert run("-q", "-c", "import sys; print(sys.flags, tuple(sys.flags) == sys.flags)") == f"{shown} True\n"


def test_two_children_have_two_sets_of_flags(sim: World) -> None:
    """While one runs with -I, another that runs without does not see it, nor the other way round."""
    code = "import sys, time\nfor _ in range(3): time.sleep(0.1); print(sys.flags.isolated, end=' ')"
    command = [[sys.executable, *words, "-c", code] for words in (["-I"], [], ["-I"])]
    children = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in command]
    assert [child.communicate()[0] for child in children] == ["1 1 1 ", "0 0 0 ", "1 1 1 "]


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_variables_are_ignored(world: object, option: str, tmp_path: Path) -> None:
    """With -E and -I neither PYTHONPATH nor PYTHONIOENCODING nor a sitecustomize on that path is heeded."""
    (tmp_path / "sitecustomize.py").write_text("print('customized')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "cp1252", "PYTHONUNBUFFERED": "1"}
    code = f"import sys; print({str(tmp_path)!r} in sys.path, sys.stdout.encoding, sys.stdout.write_through)"
    assert run(option, "-c", code, env=env) == "False utf-8 False\n"
    assert run("-c", code, env=env) == "customized\nTrue cp1252 True\n"


@pytest.mark.parametrize(("option", "first"), [("-P", False), ("-I", False), ("-s", True)])
def test_the_folder_of_a_script_stays_out(world: object, option: str, first: bool, tmp_path: Path) -> None:
    """-P and -I keep it from the import path."""
    (tmp_path / "script.py").write_text("import os, sys; print(os.path.dirname(__file__) in sys.path)")
    assert run(option, str(tmp_path / "script.py")) == f"{first}\n"
