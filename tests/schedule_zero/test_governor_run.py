"""A governor in the foreground: orders, signals, and the end of all its processes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schedule_zero.awaiting import StartFailed
from schedule_zero.cli import main as command_line
from schedule_zero.errors import ConfigError
from schedule_zero.exits import ExitCode
from schedule_zero.governor_base import GovernorKind
from schedule_zero.governor_client import find_governor, order
from schedule_zero.governor_run import ForegroundGovernor
from schedule_zero.governor_run import govern as govern_in_foreground
from schedule_zero.sd_notify import Notifier
from schedule_zero.stop_report import read_stop_report
from schedule_zero.thread_governor import ThreadGovernor

pytestmark = [pytest.mark.integration, pytest.mark.governor]


def test_the_command_line_orders_a_running_governor(
    world: Any, foreground: Any, echo: Any, tmp_path: Path
) -> None:
    """status, restart, remove, add and stop reach the running governor; handlers come from its own file."""
    process = foreground(echo("h1"), echo("h2"))

    def order(*words: str) -> tuple[int, str]:
        where = ["--deployment", "t", "--root", str(world.folder), "--config", str(tmp_path / "t.json")]
        done = CliRunner().invoke(command_line, ["governor", *words, *where])
        return done.exit_code, done.output.strip()

    code, out = order("status", "--json")
    assert (code, {name: info["status"] for name, info in json.loads(out).items()}) == (
        0, {"server": "running", "h1": "running", "h2": "running"},
    )  # fmt: skip
    assert order("restart", "h1") == (0, "h1: ready")
    unknown = "schedule-zero: unknown handler 'nope'; there are: h1, h2"
    assert (order("restart", "nope"), order("remove", "nope")) == ((1, unknown), (1, unknown))
    assert order("remove", "h2") == (0, "")
    assert len(world.processes()) == 3
    assert order("add", "h2") == (0, "h2: ready")
    code, out = order("add", "h3")
    assert (code, "handler 'h3' is not in" in out) == (1, True)
    assert order("stop") == (0, "deployment t is stopped")
    assert process.wait(5.0) == 0
    assert world.processes() == []
    assert order("status") == (6, "schedule-zero: deployment 't' has no running governor")
    assert order("stop") == (0, "deployment t has no running governor")


def test_a_second_interrupt_does_not_wait(
    world: Any,
    foreground: Any,
    echo: Any,
    until: Any,
) -> None:
    """The first Ctrl-C drains, the second kills: a handler that never ends costs no 30 seconds."""
    process = foreground(echo("deaf", "Deaf"))
    process.send_signal(signal.SIGINT)
    until(lambda: not (world.folder / "t" / "governor.json").exists(), "the stop has begun")
    began = time.monotonic()

    process.send_signal(signal.SIGINT)

    assert process.wait(10.0) == 0
    assert time.monotonic() - began < 5.0
    assert (world.processes(), world.pid_files()) == ([], [])


def test_stops_ordered_at_once_are_one_stop_with_all_its_time(govern: Any, echo: Any) -> None:
    """Several orders that are there before the governor looks whether to stop hurry nobody: only signals do."""
    one = govern(echo())

    class Told(Notifier):
        """When all is up, and nobody looks yet whether to stop, three stops are ordered."""

        def ready(self, status: str = "") -> bool:
            running = find_governor(one.deployment)
            assert running is not None
            assert [order(running, "stop") for _ in range(3)] == [True, True, True]
            return True

    assert ForegroundGovernor(one, Told(None)).run(None, 20.0) == ExitCode.OK

    report = read_stop_report(one.deployment.directory)
    assert report is not None
    ends = {name: (end.code, end.forced, end.hurried) for name, end in report.services.items()}
    assert ends == {"server": (0, "", False), "h1": (0, "", False)}


def test_asking_for_a_stop_waits_for_no_lock(world: Any, govern: Any, echo: Any) -> None:
    """A signal handler interrupts the main thread, whatever lock that holds; so asking to stop takes none.

    The asking thread would hang here if it needed any lock of the governor or of its services.
    """
    one = govern(echo())
    foreground = ForegroundGovernor(one)
    asked = threading.Event()

    def ask() -> None:
        foreground.request_stop()
        foreground.request_stop_by_signal()
        foreground.request_stop_by_signal()
        asked.set()

    locks = [one._lifecycle, *(service.busy for service in one._services.values())]
    locks += [service.process._lock for service in one._services.values()]
    with contextlib.ExitStack() as held:
        for lock in locks:
            held.enter_context(lock)
        threading.Thread(target=ask, daemon=True).start()
        assert asked.wait(5.0)

    assert foreground.stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_are_given_back(number: signal.Signals, govern: Any) -> None:
    """While the block runs a signal asks for the stop; after it the earlier handler has the signal again."""
    before = signal.getsignal(number)
    foreground = ForegroundGovernor(govern())

    with foreground.install_signal_handlers():
        signal.raise_signal(number)

    assert foreground.stopping
    assert signal.getsignal(number) is before


def test_a_deployment_that_cannot_start_ends_with_its_servers_exit_code(govern: Any, world: Any) -> None:
    """A taken port is exit code 3 of the whole governor, whose files are gone then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        deployment = world.deployment(http_port=taken.getsockname()[1])
        assert govern_in_foreground(deployment, stop_timeout=5.0) == ExitCode.PORT_TAKEN
    assert (world.processes(), world.pid_files()) == ([], [])
    assert not (world.folder / "t" / "governor.json").exists()


def test_a_second_governor_in_the_foreground_is_told_so(govern: Any, world: Any) -> None:
    """Exit code 5 while another governs the deployment, and the first goes on."""
    first = govern()
    first.start()
    assert govern_in_foreground(world.deployment(), stop_timeout=5.0) == ExitCode.ALREADY_RUNNING
    assert first.health_check() == {"server": True}


def test_who_started_it_may_leave_without_a_word(world: Any, until: Any) -> None:
    """The end of the lifeline stops all in good order: nobody is left who could stop it."""
    reader, writer = os.pipe()
    deployment = dataclasses.replace(world.deployment(), kind=GovernorKind.THREAD)

    def leave() -> None:
        until((world.folder / "t" / "governor.json").exists, "it is up")
        os.close(writer)

    leaver = threading.Thread(target=leave)
    leaver.start()
    assert govern_in_foreground(deployment, stop_timeout=5.0, lifeline_fd=reader) == ExitCode.OK
    leaver.join()
    assert not (world.folder / "t" / "governor.json").exists()


def test_a_lifeline_that_is_none_is_a_mistake_of_the_command_line(world: Any) -> None:
    """Nothing is started without the lifeline that was asked for."""
    with pytest.raises(ConfigError, match="--lifeline-fd 987654 is no open descriptor: "):
        govern_in_foreground(world.deployment(), lifeline_fd=987654)
    assert not (world.folder / "t").exists()


def test_a_process_with_a_thread_that_hangs_is_told_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the governor in a process of its own ends that by force then; the exit code is what it would be."""
    stuck: list[ExitCode] = []
    deployment = dataclasses.replace(world.deployment(http_port=1), kind=GovernorKind.THREAD)
    monkeypatch.setattr(ThreadGovernor, "abandoned", property(lambda self: [threading.current_thread()]))
    monkeypatch.setattr(ThreadGovernor, "start", _refuse)

    assert govern_in_foreground(deployment, when_stuck=stuck.append) == ExitCode.STORE
    assert stuck == [ExitCode.STORE]


def _refuse(_: Any) -> bool:
    raise StartFailed("the store is full", ExitCode.STORE)
