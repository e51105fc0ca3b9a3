"""An ended world is gone: neither its kernel stays in memory, nor a descriptor of its dead processes open."""

from __future__ import annotations

import gc
import importlib
import os
import socket
import string
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sim import SimError, World
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


LIBRARY = """
    import queue, socket, threading

    def connect(to: socket.socket) -> None: pass

    class Shared:
        lock = threading.Lock()
        again = threading.RLock()
        items = queue.SimpleQueue()
        event = threading.Event()

    Shared.items.put(1)
    Shared.items.get()
    threading.Timer(2, Shared.items.put, (2,)).start()
    Shared.items.get()
    with Shared.lock, Shared.again: pass
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Imports a module that makes locks, a queue and an event, and names a socket in a signature, when first called."""
    (tmp_path / "kept_library.py").write_text(textwrap.dedent(LIBRARY))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: importlib.import_module("kept_library").Shared
    sys.modules.pop("kept_library", None)


def test_what_a_module_made_at_its_import_holds_no_world(library: Callable[[], Any]) -> None:
    """A library that is first imported inside a world lives on, with its locks; the world does not."""
    with World(1) as world:
        library()
        kernel = weakref.ref(world.kernel)
    del world
    gc.collect()

    assert kernel() is None


def test_locks_of_an_ended_world_wait_in_the_next_one(library: Callable[[], Any]) -> None:
    """Threads of the next world wait for each other, and for items, in its time; of none, as for real ones."""
    with World(1):
        shared = library()
    order: list[str] = []

    def holding() -> None:
        with shared.lock, shared.again:
            time.sleep(5)
            order.append(f"released at {world.elapsed}")
        shared.items.put("item")

    with World(2) as world:
        thread = threading.Thread(target=holding)
        thread.start()
        time.sleep(1)
        assert not shared.lock.acquire(timeout=1)
        with shared.lock, shared.again:
            order.append(f"taken at {world.elapsed}")
        order.append(shared.items.get())
        thread.join()
    with shared.lock, shared.again:
        shared.items.put("outside")

    assert order == ["released at 5.0", "taken at 5.0", "item"]
    assert shared.items.get() == "outside"


def test_what_is_left_of_an_ended_machine_says_so() -> None:
    """A socket class that a module took along makes real sockets outside, and is refused in the next world."""
    with World(1):
        kept: Any = socket.socket
    with kept() as real:
        assert real.fileno() >= 0
    with World(2), pytest.raises(SimError, match="world that has ended"):
        kept()


def test_what_is_left_of_one_world_does_not_disturb_the_end_of_another() -> None:
    """Objects of ended worlds are seen when a later one ends, after the search for escapes, which unfreezes them."""
    with World(1):
        kept: Any = socket.socket
    with World(2) as world:
        world.patcher.escapes()
    assert kept.__name__ == "socket"
