"""The line of the program that reached into the simulation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.sim import World
from harness.sim.errors import ThreadFailed

pytestmark = pytest.mark.sim


def refused(*words: str, **options: object) -> str:
    """What the world says of a child that does what is not simulated."""
    with pytest.raises(ThreadFailed) as error, World():
        subprocess.run([sys.executable, *words], **options)  # type: ignore[call-overload]
    return str(error.value)


def test_code_of_a_command_line_has_lines() -> None:
    """A program given with ``-c`` is named as its traceback would name it."""
    assert "os.system at <string>:2 in <module> is not simulated" in refused("-c", "import os\nos.system('true')")
    inner = "import os\ndef f():\n\n    os.system('true')\nf()"
    assert "os.system at <string>:4 in f is not simulated" in refused("-c", inner)


def test_code_from_standard_input_has_lines() -> None:
    """So is one that is read."""
    assert "os.system at <stdin>:3 in <module>" in refused("-", input=b"\nimport os\nos.system('x')")


def test_what_dataclasses_make_is_no_line_of_the_program() -> None:
    """Methods made from text are of ``<string>``, too: the line that calls them is meant."""
    code = (
        "import os\nfrom dataclasses import dataclass, field\n@dataclass\nclass A:\n"
        "    a: int = field(default_factory=lambda: 1 if os.environ else 0)\n"
        "    def __post_init__(self):\n        os.system('x')\n\nA()"
    )
    assert "os.system at <string>:7 in A.__post_init__" in refused("-c", code)
    made = "import os\nfrom dataclasses import field, make_dataclass\n"
    made += "A = make_dataclass('A', [('a', int, field(default_factory=os.fork))])\nA()"
    assert "os.fork at <string>:4 in <module>" in refused("-c", made)


def test_a_script_has_its_own_lines(tmp_path: Path) -> None:
    """A file is named by its path."""
    (tmp_path / "script.py").write_text("import os\nos.system('x')")
    assert f"os.system at {tmp_path / 'script.py'}:2 in <module>" in refused(str(tmp_path / "script.py"))
