"""The end of a world: threads are unwound, their effects refused."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness.sim.errors import Killed
from harness.sim.kernel import Kernel
from harness.sim.waiting import WaitQueue

Opened = Callable[..., AbstractContextManager[Kernel]]


def test_every_thread_is_unwound(opened: Opened) -> None:
    """``finally`` runs in every thread at the end, first started first, and not one thread is left."""
    order: list[int] = []
    before = set(threading.enumerate())
    with opened() as kernel:

        def waiting(number: int) -> None:
            try:
                kernel.sleep(1000)
            finally:
                order.append(number)

        for number in range(5):
            threading.Thread(target=waiting, args=(number,)).start()
        kernel.sleep(1)
    assert order == [0, 1, 2, 3, 4]
    assert kernel.lost == []
    assert set(threading.enumerate()) == before


def test_threads_that_never_began_never_begin(opened: Opened) -> None:
    """A thread that was started but had no turn yet does nothing at all."""
    ran: list[str] = []
    with opened() as kernel:
        kernel.spawn(kernel.current_process, "late", lambda: ran.append("late"))
    assert ran == []


def test_threads_announced_but_never_begun_are_forgotten(opened: Opened) -> None:
    """A world that ends while a thread waits in `Thread.start` for another to begin leaves neither in `threading`."""
    before = threading.enumerate()
    announced = 0
    for seed in range(8):
        with opened(seed) as kernel:
            ready = WaitQueue(kernel, "the parent")
            child = threading.Thread(target=int)

            def parent(ready: WaitQueue = ready, child: threading.Thread = child) -> None:
                ready.notify()
                child.start()

            kernel.spawn(kernel.current_process, "parent", parent)
            ready.wait()
            announced += child.ident is None
        assert threading.enumerate() == before
    assert 0 < announced < 8


def test_unwinding_has_no_effects(opened: Opened, tmp_path: Path) -> None:
    """Writing, removing, renaming, databases and threads are refused to threads on their way out; reading is not."""
    kept = tmp_path / "kept"
    kept.write_text("kept")
    actions: dict[str, Callable[[], object]] = {
        "write": lambda: (tmp_path / "written").write_text("x"),
        "append": lambda: kept.open("a"),
        "os.open": lambda: os.open(tmp_path / "opened", os.O_CREAT | os.O_WRONLY),
        "remove": kept.unlink,
        "rename": lambda: kept.rename(tmp_path / "renamed"),
        "mkdir": (tmp_path / "folder").mkdir,
        "sqlite": lambda: sqlite3.connect(tmp_path / "base"),
        "thread": lambda: threading.Thread(target=print).start(),
        "sleep": lambda: kernel.sleep(1),
        "wait": lambda: threading.Event().wait(1),
        "read": kept.read_text,
    }
    ended: dict[str, str] = {}
    before = threading.enumerate()
    with opened() as kernel:

        def program(name: str, action: Callable[[], object]) -> None:
            try:
                kernel.sleep(1000)
            finally:
                try:
                    action()
                except Killed:
                    ended[name] = "killed"
                else:
                    ended[name] = "done"

        for name, action in actions.items():
            threading.Thread(target=program, args=(name, action)).start()
        kernel.sleep(1)
    assert ended == {**dict.fromkeys(actions, "killed"), "read": "done"}
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert threading.enumerate() == before
    assert kernel.now == 1


def test_the_living_are_not_fenced(opened: Opened, tmp_path: Path) -> None:
    """Effects of living threads, inside a world and after it, pass."""
    with opened():
        (tmp_path / "inside").write_text("x")
    (tmp_path / "after").write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "inside"]


def test_who_swallows_the_end_meets_it_again(opened: Opened) -> None:
    """A thread that catches BaseException is killed at each further call; one that never gives in is left asleep."""
    caught: list[str] = []
    with opened() as kernel:

        def stubborn(times: int) -> None:
            for _ in range(times):
                try:
                    kernel.sleep(1000)
                except BaseException:  # noqa: BLE001 - what this test is about
                    caught.append("again")

        kernel.spawn(kernel.current_process, "some", lambda: stubborn(20))
        kernel.spawn(kernel.current_process, "for ever", lambda: stubborn(10**9))
        kernel.sleep(1)
    assert len(caught) == 20 + 1000
    assert [thread.name for thread in kernel.lost] == ["for ever"]


def test_unwinding_says_nothing(
    opened: Opened, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Threads that are unwound out of locks, conditions, queues and executors print nothing and log nothing."""
    with opened() as kernel:
        lock, condition, event = threading.Lock(), threading.Condition(), threading.Event()
        lock.acquire()

        def in_condition() -> None:
            with condition:
                condition.wait()

        def in_lock() -> None:
            with lock:
                pass

        for target in (in_condition, in_condition, in_lock, event.wait):
            threading.Thread(target=target).start()
        pool = ThreadPoolExecutor(1)
        pool.submit(int)
        kernel.sleep(1)
    assert kernel.lost == []
    assert capsys.readouterr().err == ""
    assert caplog.records == []
    del pool
    assert logging.root.manager.disable == 0


def test_an_error_in_the_world_still_unwinds(opened: Opened) -> None:
    """An exception out of the ``with`` block unwinds the other threads as well, and arrives outside."""
    ended: list[str] = []

    def program() -> None:
        with opened() as kernel:

            def waiting() -> None:
                try:
                    kernel.sleep(1000)
                finally:
                    ended.append("unwound")

            kernel.spawn(kernel.current_process, "waiting", waiting)
            kernel.sleep(1)
            raise LookupError

    with pytest.raises(LookupError):
        program()
    assert ended == ["unwound"]


def test_the_dead_do_not_pile_up(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of dead threads they are unwound while the world goes on: without effect on it or its history."""

    def history(graves: int) -> tuple[str, int, list[str]]:
        monkeypatch.setattr("harness.sim.kernel.GRAVES", graves)
        said: list[str] = []
        with opened() as kernel:
            mail = WaitQueue(kernel, "a letter")

            def program() -> None:
                try:
                    kernel.sleep(1000)
                finally:
                    said.append("finally")
                    kernel.record("last words")
                    with contextlib.suppress(Killed):
                        kernel.call_later(1, mail.notify)
                    kernel.choose("net", 5, "last choice")

            for _ in range(20):
                process = kernel.new_process("mayfly")
                kernel.spawn(process, "MainThread", program)
                kernel.spawn(process, "second", program)
                kernel.sleep(1)
                process.kill()
            assert mail.wait(100) is False
            alive = len(kernel.threads)
            before = list(said)
        assert len(said) == 40
        assert kernel.lost == []
        return kernel.trace.digest, alive, before

    digest, alive, before = history(10)
    assert alive < 20
    assert 20 < len(before) < 40
    assert history(1000) == (digest, 41, [])
