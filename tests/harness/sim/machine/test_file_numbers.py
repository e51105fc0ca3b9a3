"""Calls that only real files answer: by the numbers of the process, with the errors of pipes."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from harness.sim import NotSimulated, World

pytestmark = [pytest.mark.sim, pytest.mark.unit]


def test_files_are_read_and_written_at_offsets(world: Any, tmp_path: Path) -> None:
    """pread, pwrite, their vectors, lseek, truncate, fallocate, copy_file_range, as on any system."""
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    assert os.pwrite(number, b"abcdef", 0) == 6
    assert os.pwritev(number, [b"XY", b"Z"], 3) == 3
    assert os.pread(number, 3, 2) == b"cXY"
    buffer = bytearray(2)
    assert os.preadv(number, [buffer], 4) == 2
    assert buffer == b"YZ"
    assert os.lseek(number, 0, os.SEEK_END) == 6
    os.ftruncate(number, 2)
    os.truncate(number, 1)
    os.posix_fallocate(number, 0, 4)
    assert os.fstatvfs(number).f_bsize > 0
    os.fchmod(number, 0o600)
    assert os.copy_file_range(number, number, 1, 0, 4) == 1
    os.truncate(tmp_path / "file", 5)
    assert (tmp_path / "file").read_bytes() == b"a\0\0\0a"
    os.close(number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.lseek(number, 0, os.SEEK_SET)


def test_pipes_have_no_offsets(world: Any) -> None:
    """What wants a place in a file is ESPIPE of a pipe."""
    reader, writer = os.pipe()
    for call in (lambda: os.lseek(reader, 0, 0), lambda: os.pread(reader, 1, 0), lambda: os.pwrite(writer, b"x", 0)):
        with pytest.raises(OSError, match="Illegal seek"):
            call()
    with pytest.raises(OSError, match="Invalid argument"):
        os.ftruncate(writer, 0)
    os.close(reader)
    os.close(writer)


def test_a_standard_stream_is_the_childs_own(world: Any, tmp_path: Path) -> None:
    """Descriptor 1 of a child is the file that it was given, for calls by number too."""
    with (tmp_path / "out").open("wb") as out:
        code = "import os; os.write(1, b'four'); print(os.lseek(1, 0, 2)); os.ftruncate(1, 2)"
        subprocess.run([sys.executable, "-u", "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"fo"


def test_the_folder_by_its_number(world: Any, tmp_path: Path) -> None:
    """fchdir goes there, for the process that calls it."""
    before = str(Path.cwd())
    number = os.open(tmp_path, os.O_RDONLY)
    os.fchdir(number)
    assert Path.cwd() == tmp_path.resolve()
    code = f"import os; os.fchdir(os.open({before!r}, os.O_RDONLY)); print(os.getcwd())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == (
        f"{before}\n"
    )
    assert Path.cwd() == tmp_path.resolve()
    os.chdir(before)
    os.close(number)


def test_a_file_in_memory_dies_with_its_process(sim: World) -> None:
    """memfd_create works as a file does; a child's is closed at its end."""
    number = os.memfd_create("mine")
    assert os.write(number, b"text") == 4
    assert os.pread(number, 9, 0) == b"text"
    os.close(number)
    code = "import os; print(os.memfd_create('x'))"
    left = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(left, 1)


def test_nobody_knows_what_a_simulated_pipe_would_say(sim: World) -> None:
    """ioctl and the like of simulated descriptors are refused with the line; of real files they pass."""
    reader, writer = os.pipe()
    with pytest.raises(NotSimulated, match=r"fcntl\.ioctl of a simulated pipe at .*test_file_numbers"):
        fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4)
    with pytest.raises(NotSimulated, match=r"os\.fchmod of a simulated pipe at .*test_file_numbers"):
        os.fchmod(writer, 0o600)


def test_sockets_by_number(world: Any) -> None:
    """socket.dup, socket.fromfd and socket.close go by the process's numbers."""
    one, other = socket.socketpair()
    copy = socket.fromfd(one.fileno(), one.family, one.type)
    number = socket.dup(one.fileno())
    one.close()
    copy.send(b"x")
    copy.close()
    socket.close(number)
    assert other.recv(2) == b"x"
    assert other.recv(2) == b""
    other.close()


def test_names_of_hosts_are_those_of_the_world(sim: World) -> None:
    """The world's one machine is found by address and by name; another host is refused, also below `socket`."""
    import _socket

    assert socket.gethostbyaddr("127.0.0.1") == ("localhost", [], ["127.0.0.1"])
    assert socket.gethostbyname_ex("localhost") == ("localhost", [], ["127.0.0.1"])
    for call in (
        lambda: socket.gethostbyaddr("192.0.2.1"),
        lambda: socket.gethostbyname_ex("example.org"),
        lambda: _socket.getaddrinfo("example.org", 80),
    ):
        with pytest.raises(NotSimulated, match="is not simulated"):
            call()
    assert _socket.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
