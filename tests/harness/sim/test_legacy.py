"""An ended world is gone: neither its kernel stays in memory, nor a descriptor of its dead processes open."""

from __future__ import annotations

import gc
import os
import string
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path

import pytest

from harness.sim import World
from harness.sim.kernel import Kernel

pytestmark = pytest.mark.sim

SERVER = """
    import asyncio, logging, os, pathlib, sys
    import anyio
    from tornado.httpserver import HTTPServer
    from tornado.web import Application

    class Handler(logging.FileHandler):
        pass

    async def serve(log):
        try:
            await asyncio.sleep(3600)
        finally:
            logging.warning("tidied up")
            pathlib.Path(sys.argv[1], "tidied").write_text("a dead process tidies nothing up")

    async def main():
        logging.getLogger().addHandler(log := Handler(pathlib.Path(sys.argv[1], "log")))
        server = HTTPServer(Application())
        server.listen(0, "127.0.0.1")
        logging.warning("up")
        async with anyio.create_task_group() as group:
            group.start_soon(serve, log)
            with anyio.move_on_after(1000):
                await anyio.to_thread.run_sync(os.getpid)
                await anyio.Event().wait()

    anyio.run(main)
"""


def play(folder: Path) -> weakref.ref[Kernel]:
    """A world in which a server is killed."""
    with World(1) as world:
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SERVER), str(folder)])
        time.sleep(5)
        child.kill()
        child.wait()
        return weakref.ref(world.kernel)


def test_killed_processes_leave_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After each of three worlds whose server was killed: no descriptor more, the kernel gone, no ``finally`` run.

    Libraries remember open loops and pending tasks for as long as they live, loggers their files.
    """
    play(tmp_path)  # what is imported and opened once
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    kernels = [play(tmp_path) for _ in range(3)]
    gc.collect()

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert [kernel() for kernel in kernels] == [None, None, None]
    assert (tmp_path / "log").read_text() == "up\n" * 4
    assert not (tmp_path / "tidied").exists()
    assert caplog.messages == []


def test_files_of_the_dead_that_somebody_keeps_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are shared by all processes: what one of them holds there outlives the world, but not its descriptor."""
    monkeypatch.setattr(string, "kept", [], raising=False)
    code = "import string, sys, time; string.kept.append(open(sys.argv[1], 'w')); string.kept[0].write('lost'); "
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with World(1):
        child = subprocess.Popen([sys.executable, "-c", code + "time.sleep(100)", str(tmp_path / "file")])
        time.sleep(5)
        child.kill()
        child.wait()

    (kept,) = string.kept  # type: ignore[attr-defined]
    assert kept.closed
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert (tmp_path / "file").read_text() == ""
