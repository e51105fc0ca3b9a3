"""What keeps the number of a descriptor beyond its world."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from typing import Any

import pytest

from harness.sim import World
from harness.sim.errors import NotSimulated

pytestmark = pytest.mark.sim


def kept() -> tuple[list[Any], set[int]]:
    """Connections and files that were left open in a world, and the numbers that they had there."""
    with World():
        ends = multiprocessing.Pipe(duplex=False)
        child = subprocess.Popen([sys.executable, "-c", "print(1)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"never flushed")
        child.wait()
        held: list[Any] = [*ends, child.stdin, child.stdout]
        numbers = {one.fileno() for one in held}
    return held, numbers


def test_nothing_closes_the_descriptors_of_the_next_world() -> None:
    """Numbers begin anew in each world: who kept one has a closed object, and no number."""
    held, numbers = kept()
    assert [one.closed for one in held] == [True, True, True, True]
    with World():
        made = {number for _ in range(6) for number in os.pipe()}
        assert numbers <= made
        for one in held:
            one.close()
        del held, one
        gc.collect()
        assert [os.fstat(number).st_nlink for number in sorted(made)] == [1] * len(made)


def test_nothing_is_closed_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the world no number of it is given to the operating system, were it a real descriptor's."""
    held, numbers = kept()
    closed: list[int] = []
    real = os.close

    def close(number: int) -> None:
        closed.append(number)
        real(number)

    monkeypatch.setattr(os, "close", close)
    for one in held:
        one.close()
    assert not numbers & set(closed)


@pytest.mark.parametrize("kind", ["spawn", "forkserver", "fork"])
def test_a_queue_whose_process_is_refused_ends_in_silence(kind: str) -> None:
    """The fence of processes leaves a queue behind; the interpreter that has it ends without a word."""
    code = (
        "import multiprocessing\nfrom harness.sim import World\nfrom harness.sim.errors import NotSimulated\n"
        "with World():\n"
        f"    context = multiprocessing.get_context({kind!r})\n"
        "    queue = context.Queue()\n"
        "    try:\n        context.Process(target=print).start()\n"
        "    except NotSimulated as error:\n        print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_connections_of_real_descriptors_are_left_alone() -> None:
    """What was opened outside of the world stays open when the world ends."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    with World(), pytest.raises(NotSimulated):
        multiprocessing.Process(target=print).start()
    writer.send("x")
    assert reader.recv() == "x"
    reader.close()
    writer.close()
