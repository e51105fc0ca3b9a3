"""The whole system: a governor of this process, a server and handlers in theirs, asked over HTTP.

What is asserted is the real thing: the process table, listening ports, pid files, the server's own lists.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.targets.schedule_zero import fixtures
from schedule_zero.api_client import ApiClient
from schedule_zero.deployment import RestartSettings
from schedule_zero.errors import RemoteError, ScheduleZeroError
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.process_governor import ProcessGovernor

pytestmark = [pytest.mark.integration, pytest.mark.governor]

_QUICK = RestartSettings(max_restarts=5, restart_delay=0.05, backoff=1.0)


class System:
    """A started governor and its API, as a client sees them."""

    def __init__(self, governor: ProcessGovernor) -> None:
        self.governor = governor
        assert governor.runtime is not None
        self.api = ApiClient(governor.runtime.http_url, timeout=10.0)

    def submit(self, method: str = "work", handler: str = "h1", **params: Any) -> str:
        """The id of an accepted job."""
        body = {"handler_id": handler, "job_method": method, "job_params": params}
        return str(self.api.call("POST", "/api/run_now", body)["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Where a job stands."""
        return dict(self.api.call("GET", f"/api/jobs/{job_id}"))

    def outcome(self, job_id: str, timeout: float = 20.0) -> dict[str, Any]:
        """The job once it is done."""
        until(lambda: self.job(job_id)["state"] == "done", f"the outcome of {job_id}", timeout)
        return self.job(job_id)

    def executions(self, **query: Any) -> list[dict[str, Any]]:
        """What the log says."""
        return list(self.api.call("GET", "/api/executions", query={"limit": 1000, **query})["executions"])

    def handlers(self) -> dict[str, tuple[str, int]]:
        """Status and pid of each handler that the server knows."""
        listed = self.api.call("GET", "/api/handlers")
        return {one["id"]: (one["status"], one["pid"]) for one in listed.get("handlers", [])}

    def pid(self, name: str) -> int:
        """The pid of a service that runs."""
        return self.governor.status()[name].pid or pytest.fail(f"{name} does not run")

    def kill(self, name: str) -> None:
        """Kill a service, and wait until it is back and ready."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)

        def back() -> bool:
            info = self.governor.status()[name]
            return info.ready and info.pid not in (None, before)

        until(back, f"{name} is back")


def until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Wait for a condition; fail by its name at the deadline. An API that is away counts as not yet."""
    deadline = time.monotonic() + timeout
    while True:
        last = ""
        try:
            if condition():
                return
        except (ScheduleZeroError, sqlite3.Error) as error:
            last = f" (last: {type(error).__name__}: {error})"
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {timeout:.1f} s for: {what}{last}")
        time.sleep(0.01)


def listening_ports() -> set[int]:
    """Every TCP port of this machine that somebody listens on."""
    connections = psutil.net_connections("tcp")
    return {one.laddr.port for one in connections if one.laddr and one.status == psutil.CONN_LISTEN}


def ports_of(governor: ProcessGovernor) -> set[int]:
    """The ports of a started governor's services."""
    assert governor.runtime is not None
    addresses = [str(info.address) for info in governor.status().values()]
    return {int(address.rpartition(":")[2]) for address in [*addresses, governor.runtime.http_url]}


def pid_files(governor: ProcessGovernor) -> dict[str, int]:
    """The pid files there are: name and pid."""
    paths = sorted(governor.deployment.pids_dir.glob("*.pid"))
    return {path.stem: int(json.loads(path.read_text())["pid"]) for path in paths}


@pytest.fixture
def make_governor(tmp_path: Path) -> Iterator[Callable[..., ProcessGovernor]]:
    """Makes governors, each in a folder of its own, that restart quickly; all are stopped at the end."""
    made: list[ProcessGovernor] = []

    def make(*names: str) -> ProcessGovernor:
        configs = [fixtures.worker_config(name, restart_delay=0.05, max_restarts=5) for name in names]
        made.append(fixtures.governor(tmp_path / f"g{len(made)}", *configs, restart=_QUICK))
        return made[-1]

    yield make
    for one in made:
        one.stop(10.0)


@pytest.fixture
def system(make_governor: Callable[..., ProcessGovernor]) -> System:
    """A started system with the handlers h1 and h2."""
    governor = make_governor("h1", "h2")
    assert governor.start()
    return System(governor)


# --- the user's regressions


@pytest.mark.regression
def test_rapid_start_stop_cycles(governor: ProcessGovernor, governor_driver: Any) -> None:
    """Six starts and stops in a row: new processes each time, no conflict of pids or ports, nothing left."""
    pids: list[int | None] = []
    for _ in range(3):
        assert governor.start()
        infos = governor.status()
        assert pid_files(governor) == {name: info.pid for name, info in infos.items()}
        pids += [info.pid for info in infos.values()]
        ports = ports_of(governor)
        assert ports <= listening_ports()
        assert governor.stop(10.0)
        assert pid_files(governor) == {}
        assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)
        assert ports.isdisjoint(listening_ports())
    assert len(set(pids)) == 6
    assert governor_driver.cycle(3).played.cycles == 3


@pytest.mark.regression
def test_concurrent_stop_calls(make_governor: Callable[..., ProcessGovernor]) -> None:
    """Ten threads that stop at once all return True, none before everything is down, and it can start again."""
    governor = make_governor("h1", "h2")
    assert governor.start()
    pids = [info.pid for info in governor.status().values() if info.pid is not None]
    gate = threading.Barrier(10)

    def stop(_: int) -> tuple[bool, int, dict[str, int]]:
        gate.wait(10.0)
        return governor.stop(15.0), sum(psutil.pid_exists(pid) for pid in pids), pid_files(governor)

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(stop, range(10))) == [(True, 0, {})] * 10

    assert governor.start()
    assert governor.health_check() == {"server": True, "h1": True, "h2": True}


# --- health


def test_system_health(system: System) -> None:
    """A started system says of itself, by every way of asking, that all of it is well."""
    health = system.api.call("GET", "/api/health")
    assert (health["status"], sorted(health["parts"])) == ("ok", ["registration", "scheduler", "store"])
    assert all(part["ok"] for part in health["parts"].values())
    assert system.handlers() == {name: ("Connected", system.pid(name)) for name in ("h1", "h2")}
    assert system.governor.health_check() == {"server": True, "h1": True, "h2": True}
    metrics = system.governor.get_metrics()
    assert (metrics["total_services"], metrics["healthy_services"], metrics["restarts"]) == (3, 3, 0)


# --- jobs from end to end


def test_jobs_reach_their_handlers_and_leave_their_outcomes(system: System) -> None:
    """Each of 40 jobs over two handlers is run once, with its own parameters, and logged under its own id."""
    ids = {system.submit("work", f"h{1 + n % 2}", n=n): n for n in range(40)}
    until(lambda: len(system.executions()) == 40, "40 outcomes")
    executions = system.executions()
    assert {one["job_id"]: one["result"]["done"] for one in executions} == {
        job_id: {"n": n} for job_id, n in ids.items()
    }
    assert {one["outcome"] for one in executions} == {"success"}
    assert Counter(one["handler_id"] for one in executions) == {"h1": 20, "h2": 20}
    assert {len(one["attempts"]) for one in executions} == {1}


def test_errors_of_a_handler_are_outcomes_not_retries(system: System) -> None:
    """A method that raises is an error with its message, after one attempt; an unknown method is refused at once."""
    failed = system.outcome(system.submit("fail", message="out of paper"))

    assert (failed["outcome"], len(failed["attempts"])) == ("error", 1)
    assert "RuntimeError: out of paper" in failed["error"]
    with pytest.raises(RemoteError, match="handler 'h1' has no method 'no_such_method'; it has: echo, fail, "):
        system.submit("no_such_method")


def test_a_schedule_fires_on_time(system: System) -> None:
    """An interval of 200 ms fires at its intended times, none of them early and none a second late."""
    start = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    trigger = {"type": "interval", "seconds": 0.2, "start_time": start}
    body = {"handler_id": "h1", "job_method": "tick", "trigger": trigger, "job_id": "beat", "coalesce": "all"}
    system.api.call("POST", "/api/schedule", body)
    until(lambda: len(system.executions(schedule_id="beat")) >= 6, "six firings")
    system.api.call("DELETE", "/api/schedules/beat")

    firings = system.executions(schedule_id="beat")[:6]

    due = [datetime.fromisoformat(one["scheduled_for"]) for one in firings]
    began = [datetime.fromisoformat(one["started_at"]) for one in firings]
    first = datetime.fromisoformat(start)
    assert due == [first + timedelta(seconds=0.2) * n for n in range(6)]
    lateness = [(late - planned).total_seconds() for planned, late in zip(due, began, strict=True)]
    assert 0.0 <= min(lateness) <= statistics.median(lateness) < 0.2
    assert max(lateness) < 1.0


# --- what dies comes back


def test_a_killed_handler_is_restarted_and_its_job_done(system: System) -> None:
    """A handler killed in a job comes back at its address, and the job has one outcome: success."""
    address = system.governor.status()["h1"].address
    job_id = system.submit("sleep", seconds=1.0)
    until(lambda: system.job(job_id)["state"] == "running", "the job runs")

    system.kill("h1")

    job = system.outcome(job_id)
    assert (job["outcome"], job["result"]) == ("success", 1.0)
    assert len(job["attempts"]) >= 2
    info = system.governor.status()["h1"]
    assert (info.address, info.restart_count, info.status) == (address, 1, ProcessStatus.RUNNING)
    until(lambda: system.handlers()["h1"] == ("Connected", info.pid), "the server knows the new process")
    assert pid_files(system.governor)["h1"] == info.pid


def test_a_killed_server_is_restarted_where_it_was(system: System) -> None:
    """After kill -9 the server is back, the same handler processes are connected, schedules are kept."""
    pids = {name: system.pid(name) for name in ("h1", "h2")}
    far = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}
    body = {"handler_id": "h1", "job_method": "tick", "trigger": far, "job_id": "kept"}
    system.api.call("POST", "/api/schedule", body)

    system.kill("server")

    connected = {name: ("Connected", pid) for name, pid in pids.items()}
    until(lambda: system.handlers() == connected, "the handlers are connected again")
    assert system.api.call("GET", "/api/schedules/kept")["id"] == "kept"
    assert system.outcome(system.submit(n=1))["outcome"] == "success"
    assert system.governor.get_metrics()["restarts"] == 1


def test_jobs_survive_the_death_of_the_server(system: System) -> None:
    """Jobs that waited and ran when the server was killed: each ends once, as a success."""
    accepted = [system.submit("sleep", "h1", seconds=0.3) for _ in range(12)]
    until(lambda: any(system.job(job_id)["state"] == "running" for job_id in accepted), "some run")

    system.kill("server")

    until(lambda: len(system.executions()) == 12, "12 outcomes", timeout=30.0)
    executions = system.executions()
    assert {one["job_id"] for one in executions} == set(accepted)
    assert {(one["outcome"], one["result"]) for one in executions} == {("success", 0.3)}
    database = system.governor.deployment.service.database
    assert database is not None
    with contextlib.closing(sqlite3.connect(database)) as store:
        until(lambda: store.execute("SELECT count(*) FROM jobs").fetchone() == (0,), "an empty queue")


def test_a_locked_store_delays_and_loses_nothing(system: System, fault: Callable[..., Any]) -> None:
    """While another process holds the database nothing is lost, and the server lives on when it lets go."""
    database = system.governor.deployment.service.database
    assert database is not None
    before = system.submit("sleep", seconds=0.3)
    server = system.pid("server")

    with fault("store.locked", database):
        assert system.api.call("GET", "/api/health")["parts"]["store"]["ok"] is False
        time.sleep(1.0)  # the fault's duration

    assert system.outcome(before)["outcome"] == "success"
    assert system.outcome(system.submit(n=2))["outcome"] == "success"
    assert system.pid("server") == server


# --- side by side


def test_two_deployments_side_by_side(make_governor: Callable[..., ProcessGovernor]) -> None:
    """Two systems share no port, process, pid file or job; stopping one leaves the other alone."""
    first, second = make_governor("h1"), make_governor("h1")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda one: one.start(), (first, second))) == [True, True]
    assert ports_of(first).isdisjoint(ports_of(second))
    assert set(pid_files(first).values()).isdisjoint(pid_files(second).values())
    left, right = System(first), System(second)
    job_id = left.submit(n="left")
    assert left.outcome(job_id)["result"]["done"] == {"n": "left"}
    with pytest.raises(RemoteError, match="404"):
        right.job(job_id)
    ports = ports_of(first)

    assert first.stop(10.0)

    assert ports.isdisjoint(listening_ports())
    assert right.outcome(right.submit(n="right"))["outcome"] == "success"
    assert second.health_check() == {"server": True, "h1": True}


def test_handlers_come_and_go_while_it_runs(system: System, mock_handler_factory: Callable[..., Any]) -> None:
    """A handler that nobody governs may register and be called; a governed one that is removed is gone."""
    assert system.governor.runtime is not None
    mock = mock_handler_factory("guest", register_with=system.governor.runtime.registration_address)
    mock.wait_registered()
    guest = system.outcome(system.submit("greet", "guest", name="you"))
    assert guest["outcome"] == "success"
    assert [call.method for call in mock.calls] == ["greet"]

    gone = system.pid("h2")
    assert system.governor.remove_handler("h2")

    assert not psutil.pid_exists(gone)
    assert sorted(pid_files(system.governor)) == ["h1", "server"]
    until(lambda: system.handlers()["h2"][0] == "Disconnected", "the server has noticed")
    assert system.handlers()["h1"] == ("Connected", system.pid("h1"))


# --- load


@pytest.mark.slow
@pytest.mark.load
def test_load_from_many_clients(system: System) -> None:
    """Four clients submit 400 jobs as fast as they can: all are accepted, run once and succeed."""

    def client(number: int) -> list[str]:
        return [system.submit("work", f"h{1 + n % 2}", n=[number, n]) for n in range(100)]

    with ThreadPoolExecutor(4) as pool:
        accepted = [job_id for ids in pool.map(client, range(4)) for job_id in ids]
    until(lambda: len(system.executions()) == 400, "400 outcomes", timeout=60.0)
    executions = system.executions()
    assert len(set(accepted)) == 400
    assert {one["job_id"] for one in executions} == set(accepted)
    assert {one["outcome"] for one in executions} == {"success"}
    assert system.governor.get_metrics()["restarts"] == 0


@pytest.mark.slow
@pytest.mark.load
def test_load_while_handlers_die(system: System) -> None:
    """Under steady load both handlers are killed three times: every accepted job succeeds all the same."""
    accepted: list[str] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.wait(0.02):
            accepted.append(system.submit("work", f"h{1 + len(accepted) % 2}", n=len(accepted)))

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        try:
            for name in ("h1", "h2", "h1", "h2", "h1", "h2"):
                system.kill(name)
        finally:
            ended.set()
        loading.result(15.0)
    until(lambda: len(system.executions()) == len(accepted), f"{len(accepted)} outcomes", timeout=60.0)
    executions = system.executions()
    assert len(accepted) >= 20
    assert {one["job_id"] for one in executions} == set(accepted)
    assert {one["outcome"] for one in executions} == {"success"}
    infos = system.governor.status()
    assert {name: info.restart_count for name, info in infos.items()} == {"server": 0, "h1": 3, "h2": 3}
