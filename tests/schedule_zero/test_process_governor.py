"""The process governor with real processes: what only they can show. The rest is in the folder governors."""

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
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.ports import reserve_port
from schedule_zero.process_governor import GovernorAlreadyRunning, ProcessGovernor, StartFailed

pytestmark = [pytest.mark.integration, pytest.mark.governor]


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
    for usage in (metrics["governor"], *(one["usage"] for one in metrics["services"].values())):
        assert 5_000_000 < usage["rss"] < 2_000_000_000
        assert 0.0 < usage["cpu"] < 600.0
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
