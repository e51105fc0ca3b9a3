"""kill -9 at any point of the work: no accepted job is lost, and each fire time fires, once.

A server does a certain amount of work, and each point of it has a number: before each transaction of the store, after
each piece of work in it, after its commit, and at each barrier. It is killed at one of them, and started again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.world import World
from schedule_zero import barriers
from schedule_zero.ports import reserve_port
from schedule_zero.schema import micros
from schedule_zero.zmq_handler_base import BaseHandler

SERVER = Path(__file__).with_name("struck_server.py")
JOBS, FIRES, EVERY = 4, 5, 0.2
STEP = 13
"""The quick suite strikes at each point of this number."""
SURE = 150
"""The work has more points than this: a first life that is to end here does end."""
OUTCOMES = "SELECT job_id, schedule_id, scheduled_for, outcome FROM {}executions"
LEFT = "SELECT (SELECT count(*) FROM {0}jobs), (SELECT count(*) FROM {0}executions WHERE outcome IS NULL)"


class Tally(BaseHandler):
    """Counts its calls by value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count: Counter[str] = Counter()

    def work(self, value: str) -> str:
        """Count and return the value."""
        self.count[value] += 1
        return value


class Scene:
    """The work on one store, from its beginning to its end, with a handler that lives through it."""

    def __init__(self, url: str, ledger: Path, port: int) -> None:
        self._begin = datetime.now(UTC) + timedelta(seconds=1)
        self._url, self._ledger, self._port = url, ledger, port
        #: How many lives were ended by a blow.
        self.struck = 0

    def run(self, *blows: int) -> int:
        """Kill the server at each of these points, one in each life; returns how many points its last life had."""
        handler = Tally("h", server_address=f"tcp://127.0.0.1:{self._port}", heartbeat=0.2)
        handler.start()
        try:
            for at in blows:
                code, told = self._live(at)
                # A life that had fewer points was not struck, and has done everything.
                assert code == (0 if told else -9)
                self.struck += code == -9
            code, told = self._live(0)
            assert code == 0
        finally:
            handler.stop(2.0)
        assert handler.count == {"job0": 1, "job1": 1, "job2": 1, "job3": 1, "s": 5}
        return int(told)

    def _live(self, at: int) -> tuple[int, str]:
        values = (self._url, self._port, self._begin.isoformat(), at, self._ledger)
        command = [sys.executable, str(SERVER), *map(str, values)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                told, _ = process.communicate(timeout=90.0)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return process.returncode, told.strip()

    def check(self, ask: Callable[[str], list[Any]], schema: str = "") -> None:
        """Everything that was accepted has one outcome, and so has each fire time."""
        assert [tuple(row) for row in ask(LEFT.format(schema))] == [(0, 0)], "jobs, or outcomes, are missing"
        executed = ask(OUTCOMES.format(schema))
        assert {row[3] for row in executed} == {"success"}
        accepted = {tuple(line.split(" ")) for line in self._ledger.read_text().splitlines()}
        assert Counter(key for key, _ in accepted) == {"job0": 1, "job1": 1, "job2": 1, "job3": 1, "s": 1}
        assert {row[0] for row in executed if row[1] is None} == {job for key, job in accepted if key != "s"}
        fired = sorted(row[2] for row in executed if row[1] == "s")
        assert fired == [micros(self._begin + timedelta(seconds=EVERY * n)) for n in range(FIRES)]
        assert len(executed) == JOBS + FIRES


def on_sqlite(folder: Path, port: int, *blows: int) -> tuple[int, int]:
    """The work on a SQLite store; returns how many lives were struck, and how many points the last one had."""
    scene = Scene(f"sqlite:///{folder}/jobs.db", folder / "ledger", port)
    points = scene.run(*blows)
    with contextlib.closing(sqlite3.connect(folder / "jobs.db")) as store:
        scene.check(lambda query: store.execute(query).fetchall())
    return scene.struck, points


def simulated(*blows: int) -> tuple[int, int]:
    """The work in a simulated world, where a point is the same moment in each run."""
    with tempfile.TemporaryDirectory() as folder, World(seed=5) as world:
        world.kernel.process_local(barriers, "_entries", list)
        return on_sqlite(Path(folder), 4242, *blows)


@pytest.mark.sim
@pytest.mark.parametrize(
    "first", [1, *(pytest.param(first, marks=pytest.mark.thorough) for first in range(2, STEP + 1))]
)
def test_a_server_is_killed_at_one_point_after_another(first: int) -> None:
    """At each point in turn, all of them in CI: whatever was under way is there after the restart, and done once."""
    _, points = simulated()
    assert points > SURE, "far fewer points than the work has"
    for at in range(first, points + 1, STEP):
        try:
            struck, _ = simulated(at)
            assert struck == 1, "nobody was killed, so this proves nothing"
        except BaseException as error:
            error.add_note(f"the server was killed at point {at} of {points}")
            raise


@pytest.mark.sim
@settings(deadline=None, max_examples=12)
@given(first=st.integers(1, SURE), later=st.lists(st.integers(1, 250), min_size=1, max_size=3))
def test_a_server_is_killed_again_and_again(first: int, later: list[int]) -> None:
    """Also in the midst of taking up what the last blow has left; a later life may be over before its blow."""
    struck, _ = simulated(first, *later)

    assert 1 <= struck <= 1 + len(later)


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else gets: the server must have the same one in its next life."""
    with reserve_port() as reservation:
        yield reservation.port


@pytest.mark.integration
@pytest.mark.parametrize("at", [60, *(pytest.param(at, marks=pytest.mark.thorough) for at in (15, 90, 120))])
def test_a_real_server_is_killed_on_sqlite(tmp_path: Path, port: int, at: int) -> None:
    """Some of the points in reality, with a real kill -9 and a real file."""
    struck, _ = on_sqlite(tmp_path, port, at)

    assert struck == 1, "nobody was killed, so this proves nothing"


@pytest.mark.integration
@pytest.mark.parametrize(
    "at", [150, *(pytest.param(at, marks=pytest.mark.thorough) for at in (20, 60, 100, 200, 250))]
)
def test_a_real_server_is_killed_on_postgresql(
    tmp_path: Path, postgres_server: Any, database: str, port: int, at: int
) -> None:
    """The same on PostgreSQL, where each statement is a point: a transaction that was cut off is as if never begun."""
    scene = Scene(postgres_server.url(database), tmp_path / "ledger", port)
    scene.run(at)
    assert scene.struck == 1, "nobody was killed, so this proves nothing"
    scene.check(lambda query: postgres_server.execute(query, database), "schedule_zero.")
