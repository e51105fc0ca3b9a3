"""The governor's contract, with real processes; the regressions keep the names of the catalogue.

Orphans are looked for in the process table: every process that a test starts inherits a variable that no
other has.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from schedule_zero.deployment import Deployment, RestartSettings, ServiceConfig
from schedule_zero.deployment_dump import write_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import HandlerConfig, ProcessStatus, RestartPolicy
from schedule_zero.ports import reserve_port
from schedule_zero.process_governor import GovernorAlreadyRunning, ProcessGovernor, StartFailed
from schedule_zero.readiness import connected_handlers
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.governor]

HANDLERS = """
import os, sys, time
from schedule_zero.zmq_handler_base import BaseHandler

class Echo(BaseHandler):
    def echo(self, value):
        return value
    def where(self):
        return {"pid": os.getpid(), "executable": sys.executable, "mark": os.environ["SZ_TEST_MARK"]}

class Dies(BaseHandler):
    def __init__(self, *args, **kwargs):
        print("no luck today", flush=True)
        os._exit(7)

class Deaf(BaseHandler):
    def stop(self, timeout=5.0):
        time.sleep(60)
"""
QUICK = RestartSettings(RestartPolicy.ON_FAILURE, max_restarts=2, restart_delay=0.05, backoff=1.0)
Governor = Callable[..., ProcessGovernor]


class World:
    """One deployment in a folder of its own, and sight of every process that belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex

    def deployment(
        self, *handlers: HandlerConfig, restart: RestartSettings = QUICK, **service: Any
    ) -> Deployment:
        """The deployment `t`; port 0 everywhere unless `service` says otherwise."""
        home = self.folder / "t"
        config = ServiceConfig(
            deployment="t",
            database=home / "jobs.db",
            registry_path=home / "registry.yaml",
            data_dir=home,
            **service,
        )
        return Deployment("t", self.folder, config, handlers, restart)

    def processes(self) -> list[psutil.Process]:
        """Every living process that inherited this world's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.pid != os.getpid() and process.environ().get("SZ_TEST_MARK") == self.mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def pid_files(self) -> list[str]:
        """The names of the pid files there are."""
        return sorted(path.name for path in (self.folder / "t" / "pids").glob("*.pid"))


def until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Wait for a condition; fail by its name at the deadline."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {timeout:.1f} s for: {what}")
        time.sleep(0.01)


def pid_of(governor: ProcessGovernor, name: str) -> int:
    """The pid of a service that must be running."""
    pid = governor.status()[name].pid
    assert pid is not None, f"{name} does not run"
    return pid


def echo(handler_id: str = "h1", class_name: str = "Echo", **more: Any) -> HandlerConfig:
    """A handler of the module that the fixture `world` writes, restarted quickly and twice at most."""
    return HandlerConfig(
        handler_id, "world_handlers", class_name, **{"restart_delay": 0.05, "max_restarts": 2, **more}
    )


def call(address: str | None, method: str, **params: Any) -> Any:
    """The answer of the handler at this address."""
    assert address is not None
    client = ZMQClient(address, timeout=5000)
    try:
        return client.call(method, params)
    finally:
        client.terminate()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose processes, if any are left, end with the test."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "world_handlers.py").write_text(HANDLERS)
    world = World(tmp_path / "deployments")
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), *([inherited] if inherited else [])])
    )
    monkeypatch.setenv("SZ_TEST_MARK", world.mark)
    yield world
    for process in world.processes():
        process.kill()


@pytest.fixture
def governor(world: World) -> Iterator[Governor]:
    """Makes governors of this world's deployment; all are stopped at the end."""
    made: list[ProcessGovernor] = []

    def make(*handlers: HandlerConfig, **options: Any) -> ProcessGovernor:
        made.append(ProcessGovernor(world.deployment(*handlers, **options)))
        return made[-1]

    yield make
    for one in made:
        one.stop(5.0)


@pytest.fixture
def foreground(world: World, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `schedule-zero governor start` and waits until all is up."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*handlers: HandlerConfig) -> subprocess.Popen[bytes]:
        write_deployment(world.deployment(*handlers), tmp_path / "t.json")
        ready = tmp_path / "ready.json"
        command = [sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--deployment", "t"]
        command += [
            "--config",
            str(tmp_path / "t.json"),
            "--root",
            str(world.folder),
            "--runtime-file",
            str(ready),
        ]
        with (tmp_path / "governor.out").open("ab") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))
        until(lambda: ready.exists() or started[-1].poll() is not None, "the governor is up or has failed")
        assert started[-1].poll() is None, (tmp_path / "governor.out").read_text()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


# --- the user's regressions


@pytest.mark.regression
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL"])
def test_process_cleanup_on_exit(
    how: str, world: World, foreground: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """However the governor ends, by SIGKILL too, no process of its deployment is left in the process table."""
    process = foreground(echo("h1"), echo("h2"))
    assert len(world.processes()) == 4  # governor, server, two handlers

    process.send_signal(signal.Signals[how])

    assert process.wait(15.0) == (-signal.SIGKILL if how == "SIGKILL" else 0)
    until(lambda: world.processes() == [], "no process of the deployment in the process table")
    assert world.pid_files() == []


@pytest.mark.regression
def test_pid_file_cleanup(
    world: World, governor: Governor, foreground: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Pid files name what runs and go at the stop; after a kill of everything, the next start removes them."""
    process = foreground(echo())
    assert world.pid_files() == ["h1.pid", "server.pid"]
    everybody = world.processes()
    for one in everybody:
        one.suspend()  # so that no orphan cleans up before its turn to be killed
    for one in everybody:
        one.kill()
    process.wait()
    until(lambda: world.processes() == [], "everything is dead")
    assert world.pid_files() == ["h1.pid", "server.pid"], "nobody was left to remove them"

    second = governor(echo("h2"))
    assert second.start()
    pids = {path.stem: json.loads(path.read_text())["pid"] for path in (world.folder / "t" / "pids").iterdir()}
    assert pids == {name: info.pid for name, info in second.status().items()}
    assert sorted(pids) == ["h2", "server"]

    second.stop()
    assert world.pid_files() == []


@pytest.mark.regression
def test_poetry_environment_usage(
    world: World, governor: Governor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children run in the governor's interpreter and environment, not in the `python` that is first on PATH."""
    bait = tmp_path / "bin"
    bait.mkdir()
    for name in ("python", "python3", Path(sys.executable).name, "poetry"):
        (bait / name).write_text(f"#!/bin/sh\necho used >> {tmp_path}/bait-taken\nexit 1\n")
        (bait / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bait}{os.pathsep}{os.environ['PATH']}")

    one = governor(echo())
    assert one.start()

    infos = one.status()
    commands = {name: psutil.Process(info.pid).cmdline()[0] for name, info in infos.items()}
    assert commands == {"server": sys.executable, "h1": sys.executable}
    where = call(infos["h1"].address, "where")
    assert where == {"pid": infos["h1"].pid, "executable": sys.executable, "mark": world.mark}
    environ = psutil.Process(infos["server"].pid).environ()
    assert (environ["PATH"], environ["SZ_TEST_MARK"]) == (os.environ["PATH"], world.mark)
    assert not (tmp_path / "bait-taken").exists()


# --- start


def test_ready_means_that_everything_answers(governor: Governor) -> None:
    """When start returns True, the server lists the handlers and they answer: nobody has to wait longer."""
    one = governor(echo("h1"), echo("h2"))

    assert one.start()

    assert one.runtime is not None
    infos = one.status()
    assert connected_handlers(one.runtime.http_url) == {"h1": infos["h1"].pid, "h2": infos["h2"].pid}
    assert call(infos["h1"].address, "echo", value=[1, "two"]) == [1, "two"]
    assert {name: (info.status, info.ready) for name, info in infos.items()} == {
        "server": (ProcessStatus.RUNNING, True),
        "h1": (ProcessStatus.RUNNING, True),
        "h2": (ProcessStatus.RUNNING, True),
    }


def test_starting_twice_starts_once(world: World, governor: Governor) -> None:
    """A second start is a no-op."""
    one = governor(echo())
    one.start()
    before = {name: info.pid for name, info in one.status().items()}

    assert one.start()

    assert {name: info.pid for name, info in one.status().items()} == before
    assert len(world.processes()) == 2


def test_a_second_governor_of_a_deployment_is_refused(world: World, governor: Governor) -> None:
    """Two governors would fight for ports and pid files; the first is not disturbed."""
    first, second = governor(echo()), governor(echo())
    first.start()
    before = first.status()["h1"].pid

    with pytest.raises(GovernorAlreadyRunning, match=rf"already governed by process {os.getpid()}"):
        second.start()
    assert second.stop()

    assert (first.status()["h1"].pid, first.health_check()) == (before, {"server": True, "h1": True})


def test_a_taken_port_is_told_by_the_exit_code(world: World, governor: Governor) -> None:
    """A server whose port is taken fails the start with exit code 3 in the error, and leaves nothing."""
    with reserve_port() as reservation:
        reservation._holder.listen()
        one = governor(echo(), http_port=reservation.port)

        with pytest.raises(
            StartFailed, match=f"server did not start: .*exit code 3: .*{reservation.port}"
        ) as caught:
            one.start()

    assert caught.value.exit_code == 3
    assert (world.processes(), world.pid_files(), one.is_running) == ([], [], False)


def test_a_handler_that_does_not_import_stops_nobody_else(governor: Governor) -> None:
    """start answers False; the bad handler is crashed with the reason, without restarts; the rest works."""
    one = governor(echo("bad", "Absent"), echo("good"))

    assert one.start() is False

    bad = one.get_handler_status("bad")
    assert bad is not None
    assert (bad.status, bad.exit_code, bad.restart_count) == (ProcessStatus.CRASHED, 2, 0)
    assert "ended with exit code 2: " in str(bad.last_error)
    assert "has no class 'Absent'" in str(bad.last_error)
    until(lambda: one.health_check() == {"server": True, "bad": False, "good": True}, "the others are well")


def test_left_over_processes_are_ended_before_the_start(world: World, governor: Governor) -> None:
    """A child of a killed governor that did not notice (it has no lifeline) is ended by the next start."""
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    one = governor(echo())
    one._services["h1"].process.pid_file.write(orphan.pid)
    try:
        assert one.start()

        assert orphan.wait(5.0) == -signal.SIGTERM
    finally:
        orphan.kill()
        orphan.wait()


# --- stop


def test_stopping_what_never_ran_succeeds(world: World, governor: Governor) -> None:
    """stop is idempotent, also before the first start."""
    one = governor(echo())

    assert [one.stop(), one.stop()] == [True, True]
    assert not one.is_running


def test_stop_leaves_nothing(world: World, governor: Governor) -> None:
    """No process, no pid file, no descriptor, no thread, no taken port is left."""
    warm = governor()
    warm.start()
    warm.stop()  # what the first use of a library opens for good is none of the governor's
    before = (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate()))
    one = governor(echo("h1"), echo("h2"))
    one.start()
    ports = [int(str(info.address).rpartition(":")[2]) for info in one.status().values()]

    assert one.stop()

    after = (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate()))
    assert (world.processes(), world.pid_files(), after) == ([], [], before)
    assert {info.status for info in one.status().values()} == {ProcessStatus.STOPPED}
    connections = psutil.net_connections("tcp")
    listening = {one.laddr.port for one in connections if one.laddr and one.status == psutil.CONN_LISTEN}
    assert listening.isdisjoint(ports)


def test_many_threads_may_stop_at_once(world: World, governor: Governor) -> None:
    """Every concurrent stop returns True, and only when everything is down."""
    one = governor(echo("h1"), echo("h2"))
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


def test_a_stop_interrupts_a_start(world: World, governor: Governor) -> None:
    """Whoever stops does not wait for a start to finish first; the start fails and leaves nothing."""
    one = governor(echo())
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
    assert [str(failure) for failure in failures] == ["t: stopped while it was starting"]
    assert (world.processes(), world.pid_files()) == ([], [])


def test_a_handler_that_will_not_stop_is_killed(world: World, governor: Governor) -> None:
    """stop keeps its time-out whatever a handler does."""
    one = governor(echo("deaf", "Deaf"), echo("h1"))
    one.start()
    began = time.monotonic()

    assert one.stop(timeout=1.0)

    assert 0.5 < time.monotonic() - began < 3.0
    assert one.status()["deaf"].exit_code == -signal.SIGKILL
    assert one.status()["h1"].exit_code == 0
    assert world.processes() == []


def test_it_can_be_started_again(governor: Governor) -> None:
    """A stopped governor starts anew, all counts at zero."""
    one = governor(echo())
    one.start()
    first = one.status()["h1"].pid
    one.stop()

    assert one.start()

    assert one.status()["h1"].pid != first
    assert one.health_check() == {"server": True, "h1": True}


def test_restart_replaces_every_process(governor: Governor) -> None:
    """restart ends with all services ready in new processes."""
    one = governor(echo())
    one.start()
    before = {info.pid for info in one.status().values()}

    assert one.restart(timeout=10.0)

    assert before.isdisjoint({info.pid for info in one.status().values()})
    assert one.health_check() == {"server": True, "h1": True}


# --- crashes


def test_a_killed_handler_comes_back_where_it_was(governor: Governor) -> None:
    """A crashed handler is restarted at the same address, and its last error says what happened."""
    one = governor(echo())
    one.start()
    before = one.status()["h1"]
    assert before.pid is not None

    os.kill(before.pid, signal.SIGKILL)
    until(lambda: one.status()["h1"].restart_count == 1 and one.status()["h1"].ready, "the handler is back")

    after = one.status()["h1"]
    assert (after.address, after.status) == (before.address, ProcessStatus.RUNNING)
    assert after.pid != before.pid
    assert f"process {before.pid} was ended by signal 9" in str(after.last_error)
    assert call(after.address, "where")["pid"] == after.pid


def test_a_killed_server_comes_back_where_it_was(governor: Governor) -> None:
    """A restarted server has its old ports, so that the handlers find it and register again."""
    one = governor(echo())
    one.start()
    before, pid = one.runtime, pid_of(one, "server")
    assert before is not None

    os.kill(pid, signal.SIGKILL)
    until(lambda: one.status()["server"].restart_count == 1 and one.runtime is not None, "the server is back")

    after = one.runtime
    assert after is not None
    assert (after.http_url, after.registration_address) == (before.http_url, before.registration_address)
    until(lambda: "h1" in connected_handlers(after.http_url), "the handler has registered again")


def test_a_crash_loop_ends(governor: Governor) -> None:
    """After max_restarts the handler is crashed for good, with exit code and last words; nobody else is."""
    one = governor(echo("h1"), echo("dies", "Dies"))
    assert one.start() is False

    until(lambda: one.status()["dies"].status is ProcessStatus.CRASHED, "the handler is given up")

    dies = one.status()["dies"]
    assert (dies.restart_count, dies.exit_code, dies.pid) == (2, 7, None)
    assert "ended with exit code 7: no luck today" in str(dies.last_error)
    assert one.health_check() == {"server": True, "h1": True, "dies": False}


def test_without_auto_restart_a_crash_is_final(governor: Governor) -> None:
    """auto_restart=False: the first crash is the last."""
    one = governor(echo(auto_restart=False))
    one.start()
    pid = pid_of(one, "h1")

    os.kill(pid, signal.SIGKILL)
    until(lambda: one.status()["h1"].status is ProcessStatus.CRASHED, "the crash is noticed")

    assert one.status()["h1"].restart_count == 0


# --- handlers while it runs


def test_handlers_come_and_go(world: World, governor: Governor) -> None:
    """A handler is added, listed, and removed again with its process and pid file."""
    one = governor(echo("h1"))
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


def test_adding_again_is_harmless_unless_it_differs(world: World, governor: Governor) -> None:
    """The same handler again is a no-op; another one under its id is an error that changes nothing."""
    one = governor(echo("h1"))
    one.start()
    pid = one.status()["h1"].pid

    assert one.add_handler(echo("h1"))
    with pytest.raises(ConfigError, match="'h1' exists with another configuration"):
        one.add_handler(echo("h1", "Deaf"))
    with pytest.raises(ConfigError, match="handler id: expected"):
        one.add_handler(echo("../evil"))

    assert (one.status()["h1"].pid, len(world.processes())) == (pid, 2)


def test_handlers_added_before_the_start_are_started_with_it(governor: Governor) -> None:
    """add_handler configures a governor that does not run yet."""
    one = governor()
    assert one.add_handler(echo("h1"))
    assert one.status()["h1"].status is ProcessStatus.STOPPED

    assert one.start()

    assert one.health_check() == {"server": True, "h1": True}


def test_a_handler_is_restarted_by_hand(governor: Governor) -> None:
    """restart_handler replaces the process at the same address; others keep theirs."""
    one = governor(echo("h1"), echo("h2"))
    one.start()
    before = one.status()

    assert one.restart_handler("h1")

    after = one.status()
    assert after["h1"].pid != before["h1"].pid
    assert (after["h1"].address, after["h2"].pid) == (before["h1"].address, before["h2"].pid)
    assert call(after["h1"].address, "where")["pid"] == after["h1"].pid


def test_unknown_handlers_are_answered_with_false(governor: Governor) -> None:
    """Nothing raises for a handler that is not there, and the server is no handler."""
    one = governor()
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


# --- knowledge


def test_a_health_check_is_quick_and_true(governor: Governor) -> None:
    """Under 50 ms for all services together; a process that hangs is told apart from those that do not."""
    one = governor(echo("h1"), echo("h2"))
    one.start()
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert one.health_check() == {"server": True, "h1": True, "h2": True}
        times.append(time.monotonic() - began)
    assert min(times) < 0.05

    pid = pid_of(one, "h1")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert one.health_check(timeout=0.3) == {"server": True, "h1": False, "h2": True}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_metrics_count_services_and_restarts(governor: Governor) -> None:
    """Totals agree with the services, and everything is plain data."""
    one = governor(echo("h1"))
    assert one.get_metrics()["uptime"] == 0.0
    one.start()
    one.restart_handler("h1")

    metrics = one.get_metrics()

    assert (metrics["deployment"], metrics["total_services"], metrics["healthy_services"]) == ("t", 2, 2)
    assert (metrics["restarts"], metrics["services"]["h1"]["restart_count"]) == (1, 1)
    assert 0.0 < metrics["uptime"] < 60.0
    assert json.loads(json.dumps(metrics))["services"]["server"]["status"] == "running"


def test_each_service_has_its_log(world: World, governor: Governor) -> None:
    """What server and handlers write is kept in files of their own."""
    one = governor(echo("h1"))
    one.start()
    one.stop()

    logs = {path.name: path.read_text() for path in (world.folder / "t" / "logs").iterdir()}
    assert sorted(logs) == ["h1.log", "server.log"]
    assert "handler h1 is registered" in logs["h1.log"]


# --- in the foreground


def test_the_command_line_orders_a_running_governor(
    world: World, foreground: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """status, restart, remove, add and stop reach the running governor; handlers come from its own file."""
    process = foreground(echo("h1"), echo("h2"))

    def order(*words: str) -> tuple[int, str]:
        where = ["--deployment", "t", "--root", str(world.folder), "--config", str(tmp_path / "t.json")]
        command = [sys.executable, "-m", "schedule_zero.cli", "governor", *words, *where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    code, out = order("status", "--json")
    assert (code, {name: info["status"] for name, info in json.loads(out).items()}) == (
        0, {"server": "running", "h1": "running", "h2": "running"},
    )  # fmt: skip
    assert order("restart", "h1") == (0, "h1: ready")
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
    world: World, foreground: Callable[..., subprocess.Popen[bytes]]
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


def test_a_deployment_is_loaded_by_name(world: World) -> None:
    """ProcessGovernor("name") reads the deployment's own file."""
    write_deployment(
        dataclasses.replace(world.deployment(echo("h7")), ready_timeout=3.0),
        world.folder / "t" / "deployment.yaml",
    )

    one = ProcessGovernor("t", root=world.folder)

    assert (one.list_handlers(), one.ready_timeout, one.deployment.restart) == (["h7"], 3.0, QUICK)
