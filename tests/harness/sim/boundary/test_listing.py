"""What differs from machine to machine, and not inside a world: order of folders, numbers of threads, schedulers."""

from __future__ import annotations

import glob
import os
import sched
import threading
import time
from pathlib import Path

import pytest

from harness.sim import NotSimulated, World, run


def test_folders_are_listed_by_name(tmp_path: Path) -> None:
    """Whatever order the file system has: os.listdir, os.scandir, glob and pathlib give the order of the names."""
    names = [f"{number * 7919 % 101:03}" for number in range(40)]
    for name in names:
        (tmp_path / name).touch()
    with World():
        with os.scandir(tmp_path) as found:
            scanned = [entry.name for entry in found]
        listed = os.listdir(tmp_path)  # noqa: PTH208 - the claim is about it
        globbed = [Path(path).name for path in glob.glob(f"{tmp_path}/*")]  # noqa: PTH207 - the same
        iterated = [path.name for path in tmp_path.iterdir()]
        with pytest.raises(FileNotFoundError):
            os.scandir(tmp_path / "missing")

    assert scanned == listed == globbed == iterated == sorted(names)


def test_native_numbers_of_threads_are_repeatable() -> None:
    """The main thread's is its process's, as on Linux; others have numbers of their own, the same in every run."""

    def ask() -> list[int | None]:
        found: list[int | None] = [threading.get_native_id() - os.getpid(), threading.current_thread().native_id]
        for _ in range(2):
            thread = threading.Thread(target=lambda: found.append(threading.get_native_id()))
            thread.start()
            thread.join()
            found.append(thread.native_id)
        return found

    first, second = run(ask).value, run(ask).value
    assert first[2:] == second[2:]
    assert first[0] == 0
    assert first[2] == first[3] != first[4] == first[5]


def test_sched_runs_in_virtual_time() -> None:
    """``sched.scheduler()`` has bound the real clock and the real sleep; made inside a world it has the world's."""
    with World() as world:
        done: list[int] = []
        scheduler = sched.scheduler()
        for delay in (3, 1):
            scheduler.enter(delay, 1, done.append, (delay,))
        scheduler.run()

        assert world.elapsed == 3
    assert done == [1, 3]
    assert sched.scheduler().timefunc is time.monotonic


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/uuid").exists(), reason="Linux has it")
def test_the_kernels_own_chance_is_refused() -> None:
    """/proc/sys/kernel/random/uuid differs in every run."""
    with World(), pytest.raises(NotSimulated, match="random/uuid"):
        Path("/proc/sys/kernel/random/uuid").read_text()
