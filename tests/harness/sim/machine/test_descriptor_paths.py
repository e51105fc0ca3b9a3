"""Paths that name a descriptor: one body on the real operating system and in the simulation."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sim import World
from harness.sim.errors import ThreadFailed

pytestmark = pytest.mark.sim


def run(code: str, *words: str, **options: object) -> tuple[int, str]:
    """Exit code and standard output of a child that runs `code`."""
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, **options)  # type: ignore[call-overload]
    return done.returncode, done.stdout


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_by_its_name(world: object, path: str) -> None:
    """A child reads what it was given, through ``open`` and through ``os.open``."""
    assert run("import sys; f = open(sys.argv[1]); print(f.read(), f.name)", path, input="in") == (0, f"in {path}\n")
    code = "import os, sys; print(os.read(os.open(sys.argv[1], os.O_RDONLY), 9))"
    assert run(code, path, input="in") == (0, "b'in'\n")


def test_a_program_by_the_name_of_standard_input(world: object) -> None:
    """``python /dev/stdin`` runs what it is given."""
    done = subprocess.run([sys.executable, "/dev/stdin"], input="print(3)", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "3\n")


def test_standard_output_by_its_name(world: object) -> None:
    """What is written to it arrives where the child's output goes."""
    code = "import sys\nprint('a', flush=True)\nfor p in sys.argv[1:]: print(p, file=open(p, 'w'))"
    paths = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
    assert run(code, *paths) == (0, "a\n" + "".join(f"{path}\n" for path in paths))
    error = "open('/dev/stderr', 'w').write('no')"
    assert subprocess.run([sys.executable, "-c", error], capture_output=True, timeout=60).stderr == b"no"


def test_a_file_is_opened_anew(world: object, tmp_path: Path) -> None:
    """The name of a regular file's descriptor gives one with a position of its own."""
    (tmp_path / "file").write_text("abc")
    code = "import sys; f = open('/dev/stdin'); print(sys.stdin.read(1), f.read(), f.name, sys.stdin.read())"
    with (tmp_path / "file").open() as file:
        assert run(code, stdin=file) == (0, "a abc /dev/stdin bc\n")


def test_the_descriptor_of_a_pipe(world: object) -> None:
    """Whoever made a pipe opens its ends by their numbers; a number that is not open is no file."""
    reader, writer = os.pipe()
    with open(f"/dev/fd/{writer}", "wb", buffering=0) as into, open(f"/proc/{os.getpid()}/fd/{reader}", "rb") as out:  # noqa: PTH123
        into.write(b"x")
        assert out.read(1) == b"x"
    os.close(writer)
    with pytest.raises(OSError) as error:
        os.open(f"/dev/fd/{writer}", os.O_WRONLY)
    assert (error.value.errno, error.value.filename) == (errno.ENOENT, f"/dev/fd/{writer}")
    os.close(reader)


def test_the_other_end_of_a_pipe_is_refused() -> None:
    """Linux would open the end for writing by the name of the end for reading; a world says that it does not."""
    with pytest.raises(ThreadFailed, match="other end of a pipe"), World():
        run("open('/dev/stdin', 'w')", input="")
