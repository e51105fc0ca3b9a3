"""A deployment of the real scheduler as a target: places, numbers, handlers that come and go, records,
left-overs.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.agent import journal
from harness.agent.digest import digest
from harness.errors import NeverReady, TargetError, UsageError
from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, Audit, Event, Execution, Job, Process, ProcessEvent, Status
from harness.lifecycle import postconditions
from harness.scenario.model import Scenario
from harness.targets.base import Place, PlaceKind, StopHow, TargetContext
from harness.targets.registry import drivers
from harness.targets.schedule_zero import mutants, records
from harness.targets.schedule_zero.audits import store_problems
from harness.targets.schedule_zero.decoy import interpreters, write_decoy
from harness.targets.schedule_zero.driver import ScheduleZeroDriver, ScheduleZeroTarget
from harness.targets.schedule_zero.governor import kill_tagged

Body = Callable[[ScheduleZeroTarget], Awaitable[Any]]


@pytest.fixture
def recorder() -> Recorder:
    """A recorder whose run has begun."""
    made = Recorder()
    made.begin_run()
    return made


@pytest.fixture
def deployed(tmp_path: Path, recorder: Recorder) -> Callable[..., Any]:
    """Runs a body against a deployment with handlers h1 and h2; afterwards it is stopped and closed whatever
    happened.
    """

    def run(
        body: Body, *, start: bool = True, setup: str = "30s", handlers: Any = None, **scheduler: Any
    ) -> Any:
        scenario = Scenario.model_validate(
            {
                "scenario": 1,
                "name": "t",
                "kind": "regression",
                "limits": {"setup": setup},
                "target": {"driver": "schedule_zero"},
                "topology": {"scheduler": scheduler, "handlers": handlers or {"name": "h{n}", "count": 2}},
                "given": [{"op": "health.check"}],
            }
        )

        async def play() -> Any:
            target = ScheduleZeroDriver().create(scenario, TargetContext(tmp_path, random.Random(5), recorder))
            assert isinstance(target, ScheduleZeroTarget)
            try:
                if start:
                    await target.start()
                return await body(target)
            finally:
                await target.stop(timeout=15.0)
                await target.close()
                assert await asyncio.to_thread(kill_tagged, target.run_tag) == []

        return asyncio.run(play())

    return run


async def until(numbers: Callable[[], Awaitable[bool]], timeout: float = 15.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(timeout):
        while not await numbers():
            await asyncio.sleep(0.03)


def pick(found: Sequence[AnyRecord], kind: type[Any]) -> list[Any]:
    """The records of one kind."""
    return [record for record in found if isinstance(record, kind)]


def assert_places(places: Mapping[str, Place]) -> None:
    """What faults can point at, each with its kind; a handler with its process."""
    assert sorted(places) == ["governor", "h1", "h2", "scheduler", "scheduler.req", "store"]
    assert [places[n].kind for n in ("governor", "h1", "scheduler.req", "store")] == [
        PlaceKind.PROCESS,
        PlaceKind.HANDLER,
        PlaceKind.SOCKET,
        PlaceKind.STORE,
    ]
    assert places["h1"].group == "handlers"
    assert psutil.Process(places["h1"].pid).create_time() == places["h1"].started


def assert_numbers(numbers: Mapping[str, float]) -> None:
    """Handlers, and the sizes of each process."""
    assert numbers["registered-handlers"] == 2
    assert numbers["rss@scheduler"] > 1e6
    sizes = {f"{n}@{p}" for n in ("rss", "fds", "threads") for p in ("governor", "scheduler", "h1", "h2")}
    assert sizes <= set(numbers)


def assert_recorded(found: Sequence[AnyRecord], done: str, failed: str, pid: int) -> None:
    """What the scheduler's log and the handlers' journals say of a job done by `pid`, and of one that failed."""
    jobs = {job.job_id: job for job in pick(found, Job)}
    assert (jobs[done].outcome, jobs[done].handler, jobs[done].attempts) == ("success", "h1", 1)
    assert (jobs[failed].outcome, jobs[failed].error) == ("error", "call_failed: RuntimeError: told to fail")
    runs = {run.request_id: run for run in pick(found, Execution)}
    assert [(runs[ref].handler, runs[ref].outcome) for ref in (done, failed)] == [("h1", "ok"), ("h2", "error")]
    assert runs[done].pid == pid
    given = digest({"a": 1})
    assert (runs[done].params, runs[done].result, jobs[done].result) == (given, given, given)
    assert (runs[failed].params, runs[failed].result, jobs[failed].result) == ("", "", "")


@pytest.mark.integration
def test_a_deployment_from_its_start_to_the_search_for_what_it_left(
    deployed: Callable[..., Any], recorder: Recorder
) -> None:
    """Places, numbers, a job and a failed one, what was recorded of them, exit code 0, and nothing left."""

    async def body(target: ScheduleZeroTarget) -> None:
        places = {place.name: place for place in target.places()}
        assert_places(places)
        done = await target.call(
            "job.submit", {"handler": "h1", "method": "echo", "params": {"a": 1}}, timeout=10.0
        )
        failed = await target.call("job.submit", {"handler": "h2", "method": "fail"}, timeout=10.0)
        refused = await target.call("job.submit", {"handler": "nobody", "method": "echo"}, timeout=10.0)
        assert [r.status for r in (done, failed, refused)] == [Status.OK, Status.OK, Status.FAIL]

        async def idle() -> bool:
            return (await target.probe()).get("backlog") == 0

        await until(idle)
        assert_numbers(await target.probe())
        (sockets,) = pick(list(await target.collect()), Audit)
        assert (sockets.name, sockets.looked_at, sockets.found) == ("sockets", 4, ())
        stopped = await target.stop(StopHow.TERM, timeout=15.0)
        assert (stopped.code, stopped.forced) == (0, False)
        assert_recorded(list(await target.collect_files()), done.ref, failed.ref, places["h1"].pid)
        audits = {audit.name: audit for audit in pick(list(await target.audit("final")), Audit)}
        assert {name: (audit.looked_at > 0, audit.found) for name, audit in audits.items()} == dict.fromkeys(
            ("processes", "pidfiles", "ports", "store", "interpreters"), (True, ())
        )
        assert await target.call("job.submit", {"handler": "h1", "method": "echo"}, timeout=1.0) != done

    deployed(body, per_handler_jobs=4)
    events = [(p.name, p.event) for p in recorder.close().of(Process)]
    for name in ("governor", "scheduler", "h1", "h2"):
        assert (name, ProcessEvent.STARTED) in events
        assert (name, ProcessEvent.EXITED) in events


@pytest.mark.integration
def test_a_stop_by_orders_needs_somebody_who_takes_them(deployed: Callable[..., Any], tmp_path: Path) -> None:
    """Where nobody says at which address, that is told and nothing ends; else several at once end it in good order."""

    async def body(target: ScheduleZeroTarget) -> None:
        path = next(tmp_path.rglob("governor.json"))
        text = path.read_text()
        path.unlink()
        with pytest.raises(TargetError, match=r"governor cannot be ordered to stop: .* names none that lives"):
            await target.stop(StopHow.ORDER, timeout=15.0)
        assert target.places() != []
        path.write_text(text)

        stopped = await target.stop(StopHow.ORDER, timeout=15.0, times=3)

        ends = {name: (end.code, end.forced, end.hurried) for name, end in stopped.parts.items()}
        assert (stopped.code, ends) == (0, dict.fromkeys(("scheduler", "h1", "h2"), (0, "", False)))

    deployed(body)


@pytest.mark.unit
def test_a_store_that_cannot_be_given_up_is_told_and_keeps_nothing_else(
    deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stays becomes a problem of the teardown; folders and connections go all the same."""

    async def body(target: ScheduleZeroTarget) -> None:
        def close() -> None:
            raise TargetError("the schema stays")

        closed: list[str] = []
        monkeypatch.setattr(target._api, "close", lambda: closed.append("api"))
        with monkeypatch.context() as broken:
            broken.setattr(target._store, "close", close)
            with pytest.raises(TargetError, match="the schema stays"):
                await target.close()

        assert closed == ["api"]
        assert not target._agent_dir.exists()

    deployed(body, start=False)


@pytest.mark.integration
@pytest.mark.slow
def test_what_is_killed_leaves_no_file_that_names_it(deployed: Callable[..., Any]) -> None:
    """As after a second Ctrl-C: nobody had time to put anything away, and the harness does it for them."""

    async def body(target: ScheduleZeroTarget) -> None:
        folder = target._fleet.first.directory
        named = {path.name for path in [*(folder / "pids").glob("*.pid"), *folder.glob("governor.json")]}
        pids = [place.pid for place in target.places() if place.pid]

        await target.close()

        assert named == {"server.pid", "h1.pid", "h2.pid", "governor.json"}
        assert [*(folder / "pids").glob("*.pid"), *folder.glob("governor.json")] == []
        assert not any(postconditions.runs(pid) for pid in pids)

    deployed(body)


@pytest.mark.integration
@pytest.mark.slow
def test_handlers_are_removed_added_and_restarted(deployed: Callable[..., Any]) -> None:
    """Each returns when it is so: gone with its process, connected, connected under another pid."""

    async def body(target: ScheduleZeroTarget) -> None:
        def pid(name: str) -> int:
            return next((place.pid for place in target.places() if place.name == name), 0)

        first = pid("h2")
        await target.remove_handler("h2")
        assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE
        assert pid("h2") == 0
        assert (await target.probe())["registered-handlers"] == 1
        await target.add_handler("h2")
        assert pid("h2") not in (0, first)
        before = pid("h1")
        await target.restart_handler("h1")
        assert pid("h1") not in (0, before)
        assert (await target.probe())["registered-handlers"] == 2

    deployed(body, heartbeat="500ms", heartbeat_timeout="2s")


@pytest.mark.integration
def test_jobs_of_a_scheduler_without_a_file_are_told_by_itself(deployed: Callable[..., Any]) -> None:
    """Ended ones and running ones are in the records; the backlog counts what has not ended."""

    async def body(target: ScheduleZeroTarget) -> None:
        assert "store" not in {place.name for place in target.places()}
        quick = await target.call("job.submit", {"handler": "h1", "method": "echo"}, timeout=10.0)
        slow = await target.call(
            "job.submit", {"handler": "h2", "method": "sleep", "params": {"seconds": 2}}, timeout=10.0
        )

        async def one_left() -> bool:
            return (await target.probe()).get("backlog") == 1

        await until(one_left)
        jobs = {job.job_id: job for job in pick(list(await target.collect()), Job)}
        assert {ref: jobs[ref].outcome for ref in (quick.ref, slow.ref)} == {quick.ref: "success", slow.ref: ""}
        assert jobs[quick.ref].started is not None
        assert -1.0 < jobs[quick.ref].started < 60.0

    deployed(body, store="memory")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("options", "said"),
    [({"module": "no.such.module"}, "no.such.module"), ({"class": "NoSuchClass"}, "NoSuchClass")],
)
def test_a_handler_class_that_does_not_import_is_never_ready_and_says_why(
    deployed: Callable[..., Any], options: dict[str, str], said: str
) -> None:
    """The error holds what was waited for and the governor's last words; nothing is left."""

    async def body(target: ScheduleZeroTarget) -> None:
        with pytest.raises(NeverReady, match=said):
            await target.start()

    deployed(body, start=False, setup="6s", handlers={"name": "h1", **options})


@pytest.mark.integration
def test_a_store_that_cannot_be_written_is_never_ready_and_says_why(
    deployed: Callable[..., Any], tmp_path: Path
) -> None:
    """A folder stands where the database should be."""

    async def body(target: ScheduleZeroTarget) -> None:
        (tmp_path / "target" / "jobs.db").mkdir()
        with pytest.raises(NeverReady, match=r"jobs\.db"):
            await target.start()

    deployed(body, start=False, setup="6s")


# -- without processes -----------------------------------------------------------------------------------------


@pytest.mark.unit
def test_the_driver_is_registered() -> None:
    """By the name that scenarios use."""
    assert drivers()["schedule_zero"].name == "schedule_zero"


@pytest.mark.unit
def test_every_mutant_says_what_it_breaks() -> None:
    """One line each; what does not exist is refused with what does."""
    assert all(line.endswith(".") for line in mutants.about().values())
    with pytest.raises(
        UsageError, match="there is no mutant 'x' of schedule_zero; there are: accepted-not-stored, "
    ):
        mutants.require("x")


@pytest.mark.unit
def test_jobs_that_wait_are_read_beside_those_that_ended(tmp_path: Path) -> None:
    """A job in the queue without a record of its execution is a job without an outcome."""
    path = tmp_path / "jobs.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE executions (job_id, handler_id, method, schedule_id, scheduled_for, started_at, "
            "ended_at, attempts, outcome, error, result)"
        )
        database.execute(
            "CREATE TABLE jobs (seq INTEGER PRIMARY KEY, id, task_id, schedule_id, scheduled_fire)"
        )
        now = int(time.time() * 1e6)
        database.execute(
            "INSERT INTO executions VALUES ('a', 'h1', 'work', NULL, NULL, ?, ?, '[{}]', 'success', NULL, NULL)",
            (now, now),
        )
        database.execute(
            "INSERT INTO jobs VALUES (1, 'a', 'handler:h1', NULL, NULL), (2, 'b', 'handler:h2', NULL, NULL)"
        )
    database.close()

    jobs = {job.job_id: job for job in records.read_jobs(path, lambda mono: mono - time.monotonic())}

    assert {name: (job.handler, job.outcome, job.attempts) for name, job in jobs.items()} == {
        "a": ("h1", "success", 1),
        "b": ("h2", "", 0),
    }
    assert jobs["a"].ended == pytest.approx(0.0, abs=1.0)
    assert records.backlog(path) == 2
    assert records.backlog(tmp_path / "none.db") is None


@pytest.mark.unit
def test_executions_are_paired_from_what_handlers_wrote(tmp_path: Path) -> None:
    """One that never ended has no outcome; a torn last line ends the reading of its file only."""
    written = journal.Journal(tmp_path / "41.jsonl")
    for request in ("a", "b"):
        written.write("begin", handler="h1", method="work", request_id=request)
    written.write("call", handler="h1", request_id="a", params="p", result="r")
    written.write("end", handler="h1", method="work", request_id="a", ok=False)
    written.write("event", name="efsm-raised", place="x", detail={})
    written.close()
    with (tmp_path / "41.jsonl").open("ab") as file:
        file.write(b'{"kind":"end","ha')

    found = list(records.read_journals(tmp_path, lambda mono: mono))

    runs = {run.request_id: run for run in pick(found, Execution)}
    assert (runs["a"].outcome, runs["a"].pid, runs["a"].end is not None) == ("error", 41, True)
    assert (runs["b"].outcome, runs["b"].end) == ("", None)
    assert [(runs[name].params, runs[name].result) for name in ("a", "b")] == [("p", "r"), ("", "")]
    assert [event.name for event in pick(found, Event)] == ["efsm-raised"]


@pytest.mark.unit
def test_a_damaged_store_is_told_by_its_own_check(tmp_path: Path) -> None:
    """And a sound one has no problems."""
    sound, damaged = tmp_path / "sound.db", tmp_path / "damaged.db"
    with sqlite3.connect(sound) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    damaged.write_bytes(b"no database at all, whatever its name says" * 100)

    assert store_problems(sound) == (1, [])
    looked_at, problems = store_problems(damaged)
    assert (looked_at, [p["problem"] for p in problems]) == (1, ["DatabaseError: file is not a database"])


@pytest.mark.unit
def test_whoever_uses_the_decoy_is_found_by_its_mark(tmp_path: Path) -> None:
    """It runs the right interpreter, with a mark in the environment that the agent's journal tells."""
    import subprocess

    from harness.agent import protocol

    decoy = write_decoy(tmp_path / "decoy")
    (tmp_path / "agents").mkdir()
    environment = protocol.child_environment(
        {"PATH": f"{decoy}:/usr/bin:/bin"},
        HARNESS_AGENT_DIR=str(tmp_path),
        HARNESS_AGENT_JOURNAL=str(tmp_path / "agents"),
    )
    done = subprocess.run(
        [decoy / "python", "-c", "print('ran')"], env=environment, capture_output=True, text=True, timeout=30
    )

    audit = interpreters(tmp_path / "agents", "final", 0.0)

    assert done.stdout == "ran\n"
    assert (audit.looked_at, [found["decoy"] for found in audit.found]) == (1, ["python"])
