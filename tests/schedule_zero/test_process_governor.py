"""The governor's contract, with real processes: start, stop, handlers that come and go, what it knows."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import psutil
import pytest

from schedule_zero.deployment_dump import write_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.ports import reserve_port
from schedule_zero.process_governor import GovernorAlreadyRunning, ProcessGovernor, StartFailed

pytestmark = [pytest.mark.integration, pytest.mark.governor]


def test_starting_twice_starts_once(world: Any, govern: Any, echo: Any) -> None:
    """A second start is a no-op."""
    one = govern(echo())
    one.start()
    before = {name: info.pid for name, info in one.status().items()}

    assert one.start()

    assert {name: info.pid for name, info in one.status().items()} == before
    assert len(world.processes()) == 2


def test_a_second_governor_of_a_deployment_is_refused(govern: Any, echo: Any) -> None:
    """Two governors would fight for ports and pid files; the first is not disturbed."""
    first, second = govern(echo()), govern(echo())
    first.start()
    before = first.status()["h1"].pid

    with pytest.raises(GovernorAlreadyRunning, match=rf"already governed by process {os.getpid()}"):
        second.start()
    assert second.stop()

    assert (first.status()["h1"].pid, first.health_check()) == (before, {"server": True, "h1": True})


def test_a_taken_port_is_told_by_the_exit_code(world: Any, govern: Any, echo: Any) -> None:
    """A server whose port is taken fails the start with exit code 3 in the error, and leaves nothing."""
    with reserve_port() as reservation:
        reservation._holder.listen()
        one = govern(echo(), http_port=reservation.port)

        with pytest.raises(
            StartFailed, match=f"server did not start: .*exit code 3: .*{reservation.port}"
        ) as caught:
            one.start()

    assert caught.value.exit_code == 3
    assert (world.processes(), world.pid_files(), one.is_running) == ([], [], False)


def test_left_over_processes_are_ended_before_the_start(govern: Any, echo: Any) -> None:
    """A child of a killed governor that did not notice (it has no lifeline) is ended by the next start."""
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    one = govern(echo())
    one._services["h1"].process.pid_file.write(orphan.pid)
    try:
        assert one.start()

        assert orphan.wait(5.0) == -signal.SIGTERM
    finally:
        orphan.kill()
        orphan.wait()


def test_stopping_what_never_ran_succeeds(govern: Any, echo: Any) -> None:
    """stop is idempotent, also before the first start."""
    one = govern(echo())

    assert [one.stop(), one.stop()] == [True, True]
    assert not one.is_running


def test_stop_leaves_nothing(world: Any, govern: Any, echo: Any) -> None:
    """No process, no pid file, no descriptor, no thread, no taken port is left."""
    warm = govern()
    warm.start()
    warm.stop()  # what the first use of a library opens for good is none of the governor's
    before = (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate()))
    one = govern(echo("h1"), echo("h2"))
    one.start()
    ports = [int(str(info.address).rpartition(":")[2]) for info in one.status().values()]

    assert one.stop()

    after = (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate()))
    assert (world.processes(), world.pid_files(), after) == ([], [], before)
    assert {info.status for info in one.status().values()} == {ProcessStatus.STOPPED}
    connections = psutil.net_connections("tcp")
    listening = {one.laddr.port for one in connections if one.laddr and one.status == psutil.CONN_LISTEN}
    assert listening.isdisjoint(ports)


def test_many_threads_may_stop_at_once(world: Any, govern: Any, echo: Any) -> None:
    """Every concurrent stop returns True, and only when everything is down."""
    one = govern(echo("h1"), echo("h2"))
    one.start()
    seen: list[tuple[bool, int]] = []
    threads = [
        threading.Thread(target=lambda: seen.append((one.stop(), len(world.processes())))) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)

    assert seen == [(True, 0)] * 8


def test_a_stop_interrupts_a_start(world: Any, govern: Any, echo: Any, until: Any) -> None:
    """Whoever stops does not wait for a start to finish first; the start fails and leaves nothing."""
    one = govern(echo())
    failures: list[BaseException] = []

    def start() -> None:
        try:
            one.start()
        except StartFailed as error:
            failures.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    until(lambda: world.pid_files() != [], "the start has begun")

    assert one.stop()

    thread.join(10.0)
    assert [str(failure) for failure in failures] == ["stopped while it was starting"]
    assert (world.processes(), world.pid_files()) == ([], [])


def test_it_can_be_started_again(govern: Any, echo: Any) -> None:
    """A stopped governor starts anew, all counts at zero."""
    one = govern(echo())
    one.start()
    first = one.status()["h1"].pid
    one.stop()

    assert one.start()

    assert one.status()["h1"].pid != first
    assert one.health_check() == {"server": True, "h1": True}


def test_restart_replaces_every_process(govern: Any, echo: Any) -> None:
    """restart ends with all services ready in new processes."""
    one = govern(echo())
    one.start()
    before = {info.pid for info in one.status().values()}

    assert one.restart(timeout=10.0)

    assert before.isdisjoint({info.pid for info in one.status().values()})
    assert one.health_check() == {"server": True, "h1": True}


def test_handlers_come_and_go(world: Any, govern: Any, echo: Any, call: Any) -> None:
    """A handler is added, listed, and removed again with its process and pid file."""
    one = govern(echo("h1"))
    one.start()

    assert one.add_handler(echo("h2"))
    assert one.list_handlers() == ["h1", "h2"]
    info = one.get_handler_status("h2")
    assert info is not None
    assert call(info.address, "echo", value=1) == 1

    assert one.remove_handler("h2")
    assert (one.list_handlers(), one.get_handler_status("h2")) == (["h1"], None)
    assert world.pid_files() == ["h1.pid", "server.pid"]
    assert len(world.processes()) == 2


def test_adding_again_is_harmless_unless_it_differs(world: Any, govern: Any, echo: Any) -> None:
    """The same handler again is a no-op; another one under its id is an error that changes nothing."""
    one = govern(echo("h1"))
    one.start()
    pid = one.status()["h1"].pid

    assert one.add_handler(echo("h1"))
    with pytest.raises(ConfigError, match="'h1' exists with another configuration"):
        one.add_handler(echo("h1", "Deaf"))
    with pytest.raises(ConfigError, match="handler id: expected"):
        one.add_handler(echo("../evil"))

    assert (one.status()["h1"].pid, len(world.processes())) == (pid, 2)


def test_handlers_added_before_the_start_are_started_with_it(govern: Any, echo: Any) -> None:
    """add_handler configures a governor that does not run yet."""
    one = govern()
    assert one.add_handler(echo("h1"))
    assert one.status()["h1"].status is ProcessStatus.STOPPED

    assert one.start()

    assert one.health_check() == {"server": True, "h1": True}


def test_unknown_handlers_are_answered_with_false(govern: Any) -> None:
    """Nothing raises for a handler that is not there, and the server is no handler."""
    one = govern()
    one.start()

    assert (one.remove_handler("x"), one.restart_handler("x"), one.get_handler_status("x")) == (
        False,
        False,
        None,
    )
    assert (one.remove_handler("server"), one.restart_handler("server"), one.get_handler_status("server")) == (
        False, False, None,
    )  # fmt: skip
    assert one.health_check() == {"server": True}


def test_metrics_count_services_and_restarts(govern: Any, echo: Any) -> None:
    """Totals agree with the services, and everything is plain data."""
    one = govern(echo("h1"))
    assert one.get_metrics()["uptime"] == 0.0
    one.start()
    one.restart_handler("h1")

    metrics = one.get_metrics()

    assert (metrics["deployment"], metrics["total_services"], metrics["healthy_services"]) == ("t", 2, 2)
    assert (metrics["restarts"], metrics["services"]["h1"]["restart_count"]) == (1, 1)
    assert 0.0 < metrics["uptime"] < 60.0
    assert json.loads(json.dumps(metrics))["services"]["server"]["status"] == "running"


def test_each_service_has_its_log(world: Any, govern: Any, echo: Any) -> None:
    """What server and handlers write is kept in files of their own."""
    one = govern(echo("h1"))
    one.start()
    one.stop()

    logs = {path.name: path.read_text() for path in (world.folder / "t" / "logs").iterdir()}
    assert sorted(logs) == ["h1.log", "server.log"]
    assert "handler h1 is registered" in logs["h1.log"]


def test_a_deployment_is_loaded_by_name(world: Any, echo: Any) -> None:
    """ProcessGovernor("name") reads the deployment's own file."""
    write_deployment(
        dataclasses.replace(world.deployment(echo("h7")), ready_timeout=3.0),
        world.folder / "t" / "deployment.yaml",
    )

    one = ProcessGovernor("t", root=world.folder)

    assert (one.list_handlers(), one.ready_timeout, one.deployment.restart) == (["h7"], 3.0, world.restart)
