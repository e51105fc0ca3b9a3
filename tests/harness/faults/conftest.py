"""What the tests of the faults share: children to act on, places, a recorder, and a target that is made of plain objects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from harness.targets.base import Place, PlaceKind

Spawn = Callable[..., subprocess.Popen[bytes]]

_IDLE = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python children that run until their input ends; whatever is left of them ends with the test."""
    children: list[subprocess.Popen[bytes]] = []

    def start(code: str = _IDLE, **options: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
        )
        children.append(child)
        child.stdout.readline()
        return child  # type: ignore[no-any-return]

    yield start
    for child in children:
        family = []
        if psutil.pid_exists(child.pid) and child.poll() is None:
            family = psutil.Process(child.pid).children(recursive=True)
        child.kill()
        for member in family:
            member.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def place_of_child() -> Callable[[subprocess.Popen[bytes]], Place]:
    """The place of a child, with its start time."""

    def place(child: subprocess.Popen[bytes], name: str = "h1") -> Place:
        started = psutil.Process(child.pid).create_time()
        return Place(PlaceKind.HANDLER, name, "handlers", pid=child.pid, started=started)

    return place
