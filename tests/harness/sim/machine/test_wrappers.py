"""Programs behind shell scripts: one body on the real operating system and in the simulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.sim.errors import NotSimulated
from harness.sim.world import World

pytestmark = pytest.mark.sim

SHOW = """\
import json, os, sys
seen = {name: os.environ.get(name) for name in ("A", "B", "C")}
print(json.dumps([sys.argv[1:], seen, sys.orig_argv[1:2]]))
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with a Python program that tells its arguments and some variables."""
    (tmp_path / "show.py").write_text(SHOW, "utf-8")
    return tmp_path


def wrapper(folder: Path, name: str, text: str) -> Path:
    """An executable script; ``PYTHON`` in `text` stands for this interpreter, ``HERE`` for the folder."""
    path = folder / name
    path.write_text(text.replace("PYTHON", sys.executable).replace("HERE", str(folder)), "utf-8")
    path.chmod(0o755)
    return path


def shown(command: list[str | Path], **variables: str) -> Any:
    """What the program told."""
    environment = {"PATH": "/usr/bin:/bin", "C": "outer", **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("text", "arguments", "variables"),
    [
        ('exec PYTHON HERE/show.py "$@"', ["x y", "z"], {"A": None, "B": None, "C": "outer"}),
        ('A=1 exec "PYTHON" HERE/show.py "$@"', ["x y", "z"], {"A": "1", "B": None, "C": "outer"}),
        ("set -eu\n# why\n\nC= exec 'PYTHON' HERE/show.py \"$@\"", ["x y", "z"], {"A": None, "B": None, "C": ""}),
        (
            """A='a $b' B="c 'd'"e exec PYTHON HERE/show.py first '' "se cond" "$@" """,
            ["first", "", "se cond", "x y", "z"],
            {"A": "a $b", "B": "c 'd'e", "C": "outer"},
        ),
    ],
)
@pytest.mark.parametrize("shell", ["#!/bin/sh", "#! /bin/sh -e", "#!/usr/bin/env bash"])
def test_a_wrapper_runs_its_program(
    world: object, scripts: Path, shell: str, text: str, arguments: list[str], variables: dict[str, str | None]
) -> None:
    """Words, quotes, variables and arguments reach it as through a real shell."""
    path = wrapper(scripts, "wrapped", f"{shell}\n{text}\n")

    assert shown([path, "x y", "z"]) == [arguments, variables, [str(scripts / "show.py")]]


def test_wrappers_may_be_in_each_other(world: object, scripts: Path) -> None:
    """The inner one has the last word; a name without a slash is looked for on the PATH that the outer one sets."""
    wrapper(scripts, "python3", '#!/bin/sh\nB=inner exec PYTHON "$@"\n')
    path = wrapper(scripts, "outer", '#!/bin/sh\nA=outer B=outer PATH=HERE exec python3 HERE/show.py "$@"\n')

    assert shown([path]) == [[], {"A": "outer", "B": "inner", "C": "outer"}, [str(scripts / "show.py")]]


def test_a_process_is_what_the_wrapper_has_run(world: object, scripts: Path) -> None:
    """Its command line, its pid and its exit code are the program's: there is no shell around it."""
    path = wrapper(scripts, "wrapped", '#!/bin/sh\nexec PYTHON -c "import os, sys; sys.exit(os.getpid() % 101)" "$@"\n')
    child = subprocess.Popen([path])

    assert child.wait(30) == child.pid % 101


@pytest.mark.parametrize(
    ("program", "code"), [("HERE/none", 127), ("HERE/show.py", 126)], ids=["missing", "not executable"]
)
def test_a_wrapper_without_its_program(world: object, scripts: Path, program: str, code: int) -> None:
    """The wrapper was there to be started, so its exit code tells, and its standard error in the shell's words."""
    path = wrapper(scripts, "wrapped", f'#!/bin/sh\n\nexec {program} "$@"\n')

    done = subprocess.run([path], capture_output=True, text=True, timeout=30)

    assert done.returncode == code
    assert done.stderr.startswith(str(path))
    assert program.replace("HERE", str(scripts)) in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('exec $PYTHON "$@"', r"line 2, 'exec \$"),
        ("exec /bin/true", "line 2, 'exec /bin/true'"),
        ('cd /tmp\nexec /bin/true "$@"', "line 2, 'cd /tmp'"),
        ('exec /bin/true "$@"; rm -r x', "line 2"),
        ('exec /bin/true "$@"\nexec /bin/false "$@"', "line 3, 'exec /bin/false"),
        ('A="$HOME" exec /bin/true "$@"', "line 2"),
        ('exec /bin/tr* "$@"', "line 2"),
        ('exec "$@"', "given no program"),
        ("# nothing", "runs no other program"),
        ('exec HERE/wrapped "$@"', "do they run each other"),
        ('exec /bin/true "$@"', "program /bin/true is not simulated"),
    ],
)
def test_what_a_shell_does_beyond_is_refused(sim: World, scripts: Path, text: str, why: str) -> None:
    """With the script, the line, and what would be understood; nothing is ever run by a guess."""
    path = wrapper(scripts, "wrapped", f"#!/bin/sh\n{text}\n")

    with pytest.raises(NotSimulated, match=why):
        subprocess.run([os.fspath(path)])
