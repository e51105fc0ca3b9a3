"""Every simulated process has its own environment, arguments, streams, folder and logging."""

from __future__ import annotations

import io
import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from harness.sim import World
from harness.sim.boundary.process_state import HOST
from harness.sim.process import SimProcess


def in_child(world: World, run: Callable[[], object], **options: Any) -> SimProcess:
    """Run something as a process of the world, to its end."""
    process = world.kernel.new_process("child", parent=world.kernel.current_process, **options)
    world.kernel.spawn(process, "MainThread", run)
    process.exited.wait()
    return process


def test_the_environment_is_inherited_then_separate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child sees the variables it was given; what either changes afterwards the other does not see."""
    monkeypatch.setenv("COLOUR", "red")
    seen = []

    def child() -> None:
        seen.append((os.environ["COLOUR"], os.getenv("SHAPE")))
        os.environ["COLOUR"] = "blue"
        time.sleep(2)
        seen.append((os.environ["COLOUR"], os.getenv("SHAPE")))

    with World() as world:
        kernel = world.kernel
        process = kernel.new_process("child", env={"COLOUR": "green"})
        kernel.spawn(process, "MainThread", child)
        time.sleep(1)
        os.environ["SHAPE"] = "round"
        assert os.environ["COLOUR"] == "red"
        process.exited.wait()
        assert os.environ["COLOUR"] == "red"
    monkeypatch.delenv("SHAPE", raising=False)

    assert seen == [("green", None), ("blue", None)]


def test_arguments_and_streams_are_separate() -> None:
    """sys.argv is the child's own; what it prints to a stream of its own does not reach the parent's."""
    theirs, before = io.StringIO(), (list(sys.argv), sys.stdout)

    def child() -> None:
        sys.stdout = theirs
        print("hello from", sys.argv)
        time.sleep(1)
        print("still here")

    with World() as world:
        in_child(world, child, argv=["tool", "--fast"])
        assert (sys.argv, sys.stdout) == before

    assert theirs.getvalue() == "hello from ['tool', '--fast']\nstill here\n"


def test_the_folder_is_the_process_s(tmp_path: Path) -> None:
    """A child that changes its folder leaves the parent where it is, also while both run."""
    here, seen = Path.cwd(), []

    def child() -> None:
        os.chdir(tmp_path)
        time.sleep(2)
        seen.append(Path.cwd())

    with World() as world:
        process = world.kernel.new_process("child", parent=world.kernel.current_process)
        world.kernel.spawn(process, "MainThread", child)
        time.sleep(1)
        assert Path.cwd() == here
        process.exited.wait()

    assert seen == [tmp_path]
    assert Path.cwd() == here


def test_a_folder_that_is_gone_is_no_surprise(tmp_path: Path) -> None:
    """A process whose folder was removed runs on; the parent is back in its own."""
    here, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()

    def child() -> None:
        time.sleep(1)
        gone.rmdir()
        time.sleep(1)

    with World() as world:
        process = world.kernel.new_process("child", parent=world.kernel.current_process, cwd=str(gone))
        world.kernel.spawn(process, "MainThread", child)
        for _ in range(3):
            time.sleep(1)
            assert Path.cwd() == here
        assert process.exit_code == 0


def test_a_folder_with_a_new_name_is_the_same_folder(tmp_path: Path) -> None:
    """A process stays in its folder when somebody renames it and puts another one in its place, as real ones do."""
    mine, seen = tmp_path / "mine", []
    mine.mkdir()

    def child() -> None:
        time.sleep(2)
        seen.append(Path.cwd().name)
        os.chdir(mine)
        time.sleep(2)
        seen.append(Path.cwd().name)

    with World() as world:
        process = world.kernel.new_process("child", parent=world.kernel.current_process, cwd=str(mine))
        world.kernel.spawn(process, "MainThread", child)
        time.sleep(1)
        mine.rename(tmp_path / "renamed")
        mine.mkdir()
        process.exited.wait()

    assert seen == ["renamed", "mine"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by Linux's /proc")
def test_folders_are_let_go(tmp_path: Path) -> None:
    """Dead processes, processes that change their folder and worlds that end leave no descriptor behind."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with World() as world:
        inside = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            in_child(world, lambda: os.chdir("/"), cwd=str(tmp_path))
            in_child(world, lambda: time.sleep(1), cwd=str(tmp_path))
        assert len(list(Path("/proc/self/fd").iterdir())) == inside
        world.kernel.spawn(world.kernel.new_process("left", cwd=str(tmp_path)), "MainThread", lambda: time.sleep(99))
        time.sleep(1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_loggers_heed_what_is_disabled_and_whose_level_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a world `isEnabledFor` says what it says outside: levels, `logging.disable`, loggers that are off."""
    log = logging.getLogger("tests.sim.enabled")
    monkeypatch.setattr(log, "level", logging.INFO)
    with World():
        found = [log.isEnabledFor(logging.DEBUG), log.isEnabledFor(logging.INFO)]
        logging.disable(logging.INFO)
        found += [log.isEnabledFor(logging.INFO), log.isEnabledFor(logging.WARNING)]
        logging.disable(logging.NOTSET)
        monkeypatch.setattr(log, "disabled", True)
        found.append(log.isEnabledFor(logging.ERROR))
    assert found == [False, True, False, True, False]


def test_logging_is_the_process_s() -> None:
    """Root handlers and level of a child are its own; loggers heed the level of who is running."""
    theirs, log = io.StringIO(), logging.getLogger("some.package")
    before = logging.root.handlers[:], logging.root.level

    def child() -> None:
        assert logging.root.handlers == []
        assert logging.root.level == logging.WARNING
        logging.basicConfig(stream=theirs, level=logging.DEBUG, format="%(asctime)s %(message)s")
        log.debug("first")
        time.sleep(2)
        log.debug("second")

    with World() as world:
        process = world.kernel.new_process("child")
        world.kernel.spawn(process, "MainThread", child)
        time.sleep(1)
        assert not log.isEnabledFor(logging.DEBUG)
        process.exited.wait()
        assert not log.isEnabledFor(logging.DEBUG)

    assert theirs.getvalue() == "2026-01-01 00:00:00,000 first\n2026-01-01 00:00:02,000 second\n"
    assert (logging.root.handlers, logging.root.level) == before


def test_structlog_is_the_process_s() -> None:
    """A child that configures structlog does not configure its parent, even with cached loggers."""
    theirs, log = io.StringIO(), structlog.get_logger()

    def child() -> None:
        structlog.configure(
            processors=[structlog.processors.KeyValueRenderer()],
            logger_factory=structlog.PrintLoggerFactory(theirs),
            cache_logger_on_first_use=True,
        )
        log.info("hello")

    configured = structlog.is_configured()
    with World() as world:
        in_child(world, child)
        assert structlog.is_configured() is configured
        in_child(world, child)
    log_again = log.bind()

    assert theirs.getvalue() == "event='hello'\nevent='hello'\n"
    assert getattr(log_again, "_logger", None) is not theirs


def test_the_machine_has_a_name_of_its_own() -> None:
    """What goes into identities and histories is not the name of the real machine."""
    with World(machine=False, zmq=False):
        assert (platform.node(), socket.gethostname()) == (HOST, HOST)


def test_the_real_environment_is_the_first_process_s_alone() -> None:
    """putenv of a child does not reach the interpreter's environment, which real children would inherit."""

    def child() -> None:
        os.environ["LEAKED_FROM_SIM"] = "1"

    with World() as world:
        in_child(world, child)

    assert b"LEAKED_FROM_SIM" not in Path("/proc/self/environ").read_bytes()
    with os.popen("echo ${LEAKED_FROM_SIM:-clean}") as shell:
        assert shell.read() == "clean\n"
