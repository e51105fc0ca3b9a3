"""Time and chance in SQL: those of the world, in the engine's own forms."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.sim import World, check_determinism
from harness.sim.machine.sqlite_functions import SqlFunctions

pytestmark = pytest.mark.sim


def asked(expression: str, *arguments: object) -> object:
    """The value of an SQL expression."""
    connection = sqlite3.connect(":memory:")
    try:
        return connection.execute(f"SELECT {expression}", arguments).fetchone()[0]
    finally:
        connection.close()


@pytest.mark.parametrize(
    "expression",
    [
        "strftime('%s')",
        "strftime('%s', 'now')",
        "strftime('%s', 'NOW', 'utc')",
        "strftime('%s', x'6e6f77')",
        "CAST(unixepoch() AS TEXT)",
        "CAST(unixepoch('now') AS TEXT)",
        "strftime('%s', datetime())",
        "strftime('%s', CURRENT_TIMESTAMP)",
        "strftime('%s', CURRENT_DATE || ' ' || CURRENT_TIME)",
        "strftime('%s', date('now') || ' ' || time('now'))",
        "strftime('%s', julianday('now'))",
        "strftime('%s', julianday())",
    ],
)
def test_now_is_the_wall_clock(world: object, expression: str) -> None:
    """Every way to ask SQLite for the time gives the clock that Python has."""
    before = int(time.time())
    found = int(str(asked(expression)))
    assert before <= found + 1
    assert found <= time.time() + 1


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("datetime('2024-02-29 12:30:15.5', '+1 year')", "2025-03-01 12:30:15"),
        ("date('2024-02-29', 'start of month', '-1 day')", "2024-01-31"),
        ("time(1700000000, 'unixepoch')", "22:13:20"),
        ("julianday('2000-01-01 12:00')", 2451545.0),
        ("unixepoch('1970-01-02')", 86400),
        ("strftime('%Y/%m/%d %f', '2000-01-02 03:04:05.678')", "2000/01/02 05.678"),
        ("strftime()", None),
        ("strftime(NULL, 'now')", None),
        ("datetime(NULL)", None),
        ("datetime('nonsense')", None),
        ("typeof(random())", "integer"),
        ("length(randomblob(5))", 5),
        ("length(randomblob('3 apples'))", 3),
        ("length(randomblob(NULL))", 1),
        ("length(randomblob(-1))", 1),
        ("random() = random()", 0),
        ("count(DISTINCT random()) FROM (VALUES (1), (2), (3))", 3),
        ("count(DISTINCT datetime('now')) FROM (VALUES (1), (2), (3))", 1),
    ],
)
def test_all_else_is_the_engine_s(world: object, expression: str, value: object) -> None:
    """Other times, modifiers, formats and wrong arguments are the engine's own affair."""
    assert asked(expression) == value


def test_the_schema_may_name_them(world: object, tmp_path: Path) -> None:
    """A column's default, a view, a trigger and an index use them, and a second connection understands those."""
    path = tmp_path / "db"
    first = sqlite3.connect(path, isolation_level=None)
    first.executescript(
        "CREATE TABLE t (x, at DEFAULT CURRENT_TIMESTAMP, y DEFAULT (hex(randomblob(4))));"
        "CREATE INDEX by_day ON t (date(at));"
        "CREATE TABLE log (at);"
        "CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO log VALUES (datetime('now')); END;"
        "CREATE VIEW young AS SELECT x FROM t WHERE at > datetime('now', '-1 minute');"
    )
    begin = time.time()
    first.execute("INSERT INTO t (x) VALUES (1)")
    second = sqlite3.connect(path)
    assert second.execute("SELECT x FROM young").fetchall() == [(1,)]
    ((at, y, logged),) = second.execute("SELECT t.at, y, log.at FROM t, log").fetchall()
    written = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    assert int(begin) <= written <= time.time()
    assert datetime.fromisoformat(logged).replace(tzinfo=UTC).timestamp() - written in (0, 1)
    assert len(y) == 8
    first.close()
    second.close()


def test_it_is_virtual(sim: World) -> None:
    """Ten virtual days later it is ten days later in SQL, to the millisecond."""
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT CURRENT_TIMESTAMP").fetchone() == ("2026-01-01 00:00:00",)
    time.sleep(864_000.25)
    found = connection.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").fetchone()
    assert found == ("2026-01-11 00:00:00.250",)
    connection.close()


def test_it_is_the_clock_of_the_process(sim: World) -> None:
    """A process whose clock was set reads that one in SQL, too."""
    sim.kernel.main.process.clock.offset = 3_600_000_000
    assert asked("datetime('now')") == "2026-01-01 01:00:00"


def test_reading_it_often_never_waits(sim: World) -> None:
    """The engine's mutex is held while a function runs: it must not park, however often it is called in one turn."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (at DEFAULT CURRENT_TIMESTAMP)")
    connection.executemany("INSERT INTO t (rowid) VALUES (?)", ((number,) for number in range(30_000)))
    assert connection.execute("SELECT count(*), count(DISTINCT at) FROM t").fetchone() == (30_000, 1)
    assert sim.kernel.now == 0
    connection.close()


def test_chance_is_repeatable() -> None:
    """Two worlds of one seed draw the same numbers in SQL, worlds of two seeds do not."""

    def draw() -> object:
        return asked("random()"), asked("hex(randomblob(16))")

    drawn = [check_determinism(draw, seed=seed).value for seed in (1, 2)]
    assert drawn[0] != drawn[1]


def test_threads_of_the_host_read_the_real_clock() -> None:
    """Whoever is not simulated, and uses a connection of the world all the same, has real time and chance."""
    functions = SqlFunctions()
    connection = sqlite3.connect(":memory:")
    functions.give(connection)
    assert abs(int(connection.execute("SELECT strftime('%s')").fetchone()[0]) - time.time()) < 2
    connection.close()
    functions.close()


def test_user_s_own_functions_win(world: object) -> None:
    """A program that gives SQL a function of these names gets its own."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("random", 0, lambda: 4)
    assert connection.execute("SELECT random()").fetchone() == (4,)
    connection.close()


def test_connections_in_threads(world: object) -> None:
    """Each thread has a connection of its own, all of them the same time."""
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(asked("date('now')"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert set(found) <= {time.strftime("%Y-%m-%d", time.gmtime(time.time() - back)) for back in (0, 5)}
