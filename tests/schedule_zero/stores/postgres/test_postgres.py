"""`PostgresDatabase`: what can go wrong with a database that is somewhere else, and on which others work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from schedule_zero.dialect import select
from schedule_zero.errors import ConfigError, StoreUnusable
from schedule_zero.postgres import PostgresDatabase
from schedule_zero.postgres_session import LIMITS, PostgresSession, connect
from schedule_zero.postgres_url import parse
from schedule_zero.schema import SCHEMA_VERSION
from schedule_zero.store_errors import StoreAway, StoreBusy, StoreClosed, StoreForeign, StoreTooNew
from schedule_zero.stores import build_store

pytestmark = pytest.mark.integration

Within = Callable[..., None]
_KEY = "INSERT INTO idempotency VALUES (?, '', '', 0)"


def put(key: str) -> Callable[[Any], int]:
    """Work that stores one key."""
    return lambda c: int(c.execute(_KEY, (key,)).rowcount)


def keys(c: Any) -> list[str]:
    """All stored keys."""
    return [row[0] for row in select(c, "SELECT key FROM idempotency ORDER BY key")]


@asynccontextmanager
async def opened(url: str, identity: str = "me", **options: Any) -> AsyncIterator[PostgresDatabase]:
    """A started database."""
    database = PostgresDatabase(parse(url), identity=identity, retry_base=0.01, retry_cap=0.05, **options)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def url(postgres_server: Any, database: str) -> str:
    """The URL of a database of the test's own."""
    return str(postgres_server.url(database))


def test_an_exception_undoes_its_own_piece_alone(url: str, within: Within) -> None:
    """Of pieces that share a transaction, one that fails after writing leaves no trace, and the others stay."""

    async def scene() -> None:
        async with opened(url) as db:

            def half(c: Any) -> None:
                put("half")(c)
                raise ZeroDivisionError

            def wrong(c: Any) -> None:
                put("a")(c)

            works = (put("a"), half, put("b"), wrong)
            outcomes = await asyncio.gather(*map(db.write, works), return_exceptions=True)
            kinds = [type(outcome) for outcome in outcomes]
            assert kinds == [int, ZeroDivisionError, int, psycopg.errors.UniqueViolation]
            assert await db.read(keys) == ["a", "b"]

    within(scene)


def test_a_transaction_whose_commit_was_answered_by_nobody_is_not_done_twice(
    url: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the server committed: the caller gets the result, and the work is not repeated."""
    commit = PostgresSession.commit
    lost: list[str] = []

    def commit_and_lose(self: PostgresSession) -> None:
        commit(self)
        if not lost:
            lost.append("once")
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    async def scene() -> None:
        async with opened(url) as db:
            monkeypatch.setattr(PostgresSession, "commit", commit_and_lose)
            assert await db.write(put("a")) == 1  # a second time would be a UniqueViolation
            assert lost == ["once"]
            assert db.retries == 1
            assert await db.read(keys) == ["a"]

    within(scene)


def test_a_transaction_that_was_not_committed_is_done_again(
    url: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost before the server committed: the work is done on another one."""
    commit = PostgresSession.commit
    lost: list[str] = []

    def lose(self: PostgresSession) -> None:
        if not lost:
            lost.append("once")
            self.cut()
        commit(self)

    async def scene() -> None:
        async with opened(url) as db:
            monkeypatch.setattr(PostgresSession, "commit", lose)
            assert await db.write(put("a")) == 1
            assert lost == ["once"]
            assert await db.read(keys) == ["a"]

    within(scene)


def test_a_lock_that_somebody_holds_keeps_only_its_own_piece_waiting(
    url: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another session holds a row, work on it waits, and all other work is done."""
    monkeypatch.setitem(LIMITS, "lock_timeout", "100ms")

    async def scene() -> None:
        async with opened(url) as db:
            await db.write(put("locked"))
            async with await psycopg.AsyncConnection.connect(parse(url).conninfo) as other:
                await other.execute("SELECT * FROM schedule_zero.idempotency FOR UPDATE")
                change = "UPDATE idempotency SET target = 'x' WHERE key = 'locked'"
                waiting = asyncio.create_task(db.write(lambda c: c.execute(change).rowcount))
                async with asyncio.timeout(5.0):
                    assert await asyncio.gather(*(db.write(put(f"free {n}")) for n in range(5))) == [1] * 5
                assert not waiting.done()
                await other.rollback()
                assert await waiting == 1

    within(scene)


def test_a_server_that_stands_still_in_a_transaction_loses_its_locks(
    url: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database ends the session of a server that goes silent while it holds rows; others then get on."""
    monkeypatch.setitem(LIMITS, "lock_timeout", "100ms")
    monkeypatch.setitem(LIMITS, "idle_in_transaction_session_timeout", "300ms")

    async def scene() -> None:
        async with opened(url) as db:
            await db.write(put("locked"))
            still = connect(parse(url).conninfo, "schedule_zero", application="still", timeout=5.0)
            still.begin()
            select(still, "SELECT * FROM idempotency FOR UPDATE")
            change = "UPDATE idempotency SET target = 'x' WHERE key = 'locked'"
            async with asyncio.timeout(5.0):
                assert await db.write(lambda c: c.execute(change).rowcount) == 1
            with pytest.raises(psycopg.Error, match=r"idle-in-transaction|closed"):
                still.commit()
            still.close()

    within(scene)


@pytest.mark.thorough
def test_a_silent_network_breaks_the_connection_and_not_the_store(
    url: str, postgres_server: Any, database: str, wire: Any, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers: after its patience the transaction is cut off, told by `probe`, and done when it can be."""
    monkeypatch.setattr("schedule_zero.postgres.PATIENCE", 0.3)
    monkeypatch.setattr("schedule_zero.postgres._CONNECT", 1.0)

    async def scene() -> None:
        async with opened(postgres_server.url(database, wire.address)) as db:
            await db.write(put("before"))
            wire.silence()
            writing = asyncio.create_task(db.write(put("after")))
            while db.trouble is None:
                await asyncio.sleep(0.02)
            assert await db.probe() is not None
            with pytest.raises(StoreBusy):
                await db.read(keys)
            wire.restore()
            assert await writing == 1
            assert await db.probe() is None
            assert await db.read(keys) == ["after", "before"]

    within(scene)


def test_a_refused_way_is_waited_out(postgres_server: Any, database: str, wire: Any, within: Within) -> None:
    """Connections broken and refused for a while: the work waits, health says why, and it is done after it."""

    async def scene() -> None:
        async with opened(postgres_server.url(database, wire.address)) as db:
            wire.cut()
            writing = asyncio.create_task(db.write(put("a")))
            while db.trouble is None:
                await asyncio.sleep(0.01)
            assert "closed" in (await db.probe() or "")
            wire.restore()
            assert await writing == 1

    within(scene)


def test_closing_is_bounded_and_refuses_what_waits(
    postgres_server: Any, database: str, wire: Any, within: Within
) -> None:
    """Closing with a silent network takes a second or so, and the waiting write is refused, not lost in silence."""

    async def scene() -> None:
        async with opened(postgres_server.url(database, wire.address)) as db:
            await db.read(keys)
            wire.silence()
            waiting = asyncio.create_task(db.write(put("a")))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(3.0):
                await db.close()
            with pytest.raises(StoreClosed):
                await waiting

    within(scene)


def test_one_identity_is_one_server(url: str, within: Within) -> None:
    """A second server of the same name is refused while the first is connected, and let in after it."""

    async def scene() -> None:
        async with opened(url, "east"):
            async with opened(url, "west"):
                pass
            twin = PostgresDatabase(parse(url), identity="east", retry_cap=0.05)
            with pytest.raises(StoreUnusable, match=r"'east' is connected .*server_id"):
                await twin.start(timeout=0.2)
        async with opened(url, "east"):
            pass

    within(scene)


def test_servers_that_start_together_make_the_tables_once(url: str, within: Within) -> None:
    """Five at once on an empty database all come up."""

    async def scene() -> None:
        databases = [PostgresDatabase(parse(url), identity=f"s{n}") for n in range(5)]
        await asyncio.gather(*(db.start() for db in databases))
        assert await databases[3].read(lambda c: select(c, "SELECT version FROM store_version")) == [(SCHEMA_VERSION,)]
        await asyncio.gather(*(db.close() for db in databases))

    within(scene)


def test_a_schema_of_another_application_is_left_alone(
    url: str, postgres_server: Any, database: str, within: Within
) -> None:
    """Tables that are not ours: StoreForeign names some; a schema of one's own is the way out."""
    postgres_server.execute("CREATE TABLE public.customers (name text)", database)

    async def scene() -> None:
        with pytest.raises(StoreForeign, match="customers"):
            await PostgresDatabase(parse(f"{url}&schema=public"), identity="me").start()
        async with opened(url):
            pass

    within(scene)
    tables = postgres_server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database)
    assert tables == [("customers",)]


def test_a_newer_schema_is_refused(url: str, postgres_server: Any, database: str, within: Within) -> None:
    """A version from the future is not written to."""

    async def scene() -> None:
        async with opened(url):
            pass
        postgres_server.execute("UPDATE schedule_zero.store_version SET version = 99", database)
        with pytest.raises(StoreTooNew, match="schema version 99"):
            await PostgresDatabase(parse(url), identity="me").start()

    within(scene)


def test_a_postgresql_that_is_too_old_is_refused(url: str, within: Within, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which it is, and which it must be."""
    monkeypatch.setattr(PostgresSession, "version", 120_015)

    async def scene() -> None:
        with pytest.raises(StoreUnusable, match="PostgreSQL 12, but 13 or newer is needed"):
            await PostgresDatabase(parse(url), identity="me").start()

    within(scene)


def test_a_start_into_silence_ends(
    postgres_server: Any, database: str, wire: Any, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that passes nothing on from the very first word: StoreAway, within a bounded time."""
    monkeypatch.setattr("schedule_zero.postgres.PATIENCE", 0.3)
    monkeypatch.setattr("schedule_zero.postgres._CONNECT", 1.0)
    wire.silence()

    async def scene() -> None:
        db = PostgresDatabase(parse(postgres_server.url(database, wire.address)), identity="me", retry_cap=0.05)
        async with asyncio.timeout(8.0):
            with pytest.raises(StoreAway, match="check that it runs"):
                await db.start(timeout=0.1)

    within(scene)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("/t", "/none_"), "does not exist; check the user"),
        (("postgres@", "nobody_@"), 'role "nobody_" does not exist; check the user'),
        (("pg-", "gone-"), "check that it runs"),
    ],
)
def test_a_database_that_cannot_be_reached_is_refused_with_advice(
    url: str, change: tuple[str, str], words: str, within: Within
) -> None:
    """A wrong database, a wrong user, a server that is not there: StoreUnusable says which, and what to check."""

    async def scene() -> None:
        db = PostgresDatabase(parse(url.replace(*change, 1)), identity="me", retry_cap=0.05)
        with pytest.raises(StoreUnusable, match=words):
            await db.start(timeout=0.2)

    within(scene)


def test_tables_that_vanish_are_waited_for(url: str, postgres_server: Any, database: str, within: Within) -> None:
    """Somebody restores a dump: the schema is away for a moment, and work waits for it."""

    async def scene() -> None:
        async with opened(url) as db:
            postgres_server.execute("ALTER SCHEMA schedule_zero RENAME TO away", database)
            writing = asyncio.create_task(db.write(put("a")))
            while db.trouble is None:
                await asyncio.sleep(0.01)
            assert "does not exist" in (await db.probe() or "")
            postgres_server.execute("ALTER SCHEMA away RENAME TO schedule_zero", database)
            assert await writing == 1

    within(scene)


def test_what_text_cannot_hold_is_replaced(url: str, within: Within) -> None:
    """A handler's error message with U+0000 in it does not make its outcome unrecordable."""

    async def scene() -> None:
        async with opened(url) as db:
            await db.write(put("a\0b"))
            assert await db.read(keys) == ["a\N{REPLACEMENT CHARACTER}b"]

    within(scene)


def test_a_password_is_not_shown() -> None:
    """Messages and views name the database without its secrets."""
    store = build_store("postgresql://me:secret@db.example:5433/jobs?sslmode=require&schema=clock")
    assert store.database.name == "postgresql://me@db.example:5433/jobs (schema clock)"
    assert "secret" not in repr(store)


def test_a_schema_with_a_strange_name_is_refused() -> None:
    """It would have to be quoted everywhere else."""
    with pytest.raises(ConfigError, match="schema 'Robert'"):
        parse("postgresql://db/jobs?schema=Robert")


def test_without_psycopg_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named when it is wanted, and only then."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(StoreUnusable, match="pip install 'psycopg"):
        build_store("postgresql://db/jobs")
    build_store("memory://")
