"""The registry of live handlers."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zmq

from schedule_zero.errors import Disconnected, HandlerUnavailable, UnknownHandler
from schedule_zero.handler_registry import HandlerStatus, RegistryManager, ReportedStatus, Superseded
from schedule_zero.registry_file import load_handlers

pytestmark = [pytest.mark.integration, pytest.mark.zmq]

ADDRESS = "tcp://127.0.0.1:1"


@pytest.fixture
def silent_address() -> Iterator[str]:
    """A peer that takes requests and never answers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    yield f"tcp://127.0.0.1:{port}"
    socket.close(linger=0)
    context.term()


@pytest.fixture
def registry() -> Iterator[RegistryManager]:
    """A registry without a file."""
    with RegistryManager(client_timeout=30_000, pool_size=2) as made:
        yield made


def test_registration(registry: RegistryManager) -> None:
    """A registered handler is Connected, with what it said about itself; registering again counts."""
    registry.register("h", ADDRESS, ["m"], incarnation="a", pid=7)
    record = registry.register("h", ADDRESS, ["m", "n"], incarnation="a", pid=7)

    assert registry.get("h") == record
    assert (
        record.id,
        record.address,
        record.methods,
        record.incarnation,
        record.pid,
        record.registrations,
    ) == (
        "h",
        ADDRESS,
        ("m", "n"),
        "a",
        7,
        2,
    )
    assert record.status is HandlerStatus.CONNECTED
    assert record.last_seen is not None
    assert record.last_seen.utcoffset() == datetime.timedelta(0)


def test_silence_is_disconnection() -> None:
    """A handler that is not heard from within the time-out is Disconnected, and Connected at its next
    heartbeat.
    """
    with RegistryManager(heartbeat_timeout=0.05) as registry:
        registry.register("h", ADDRESS, [])
        time.sleep(0.1)
        assert registry.get("h").status is HandlerStatus.DISCONNECTED
        assert registry.report_status("h").status is HandlerStatus.CONNECTED


def test_offline_is_disconnection(registry: RegistryManager) -> None:
    """A handler that says offline is Disconnected at once, and still known."""
    registry.register("h", ADDRESS, [])
    assert registry.report_status("h", ReportedStatus.OFFLINE).status is HandlerStatus.DISCONNECTED
    assert registry.get("h").last_seen is not None


def test_unknown_handlers(registry: RegistryManager) -> None:
    """Everything that names a handler refuses one that is not registered."""
    for ask in (registry.get, registry.unregister, registry.report_status, registry.client):
        with pytest.raises(UnknownHandler, match="no handler is registered as 'h'"):
            ask("h")
    with pytest.raises(UnknownHandler), registry.borrow("h"):
        pass


def test_superseded_incarnation(registry: RegistryManager) -> None:
    """The heartbeat of a replaced process counts neither for itself nor for the one that replaced it."""
    registry.register("h", ADDRESS, [], incarnation="a")
    before = registry.register("h", ADDRESS, [], incarnation="b").last_seen
    with pytest.raises(Superseded):
        registry.report_status("h", incarnation="a")
    assert registry.get("h").last_seen == before


def test_borrowing(registry: RegistryManager) -> None:
    """Each borrower has a client of its own; they come back and are lent again; beyond the size one waits."""
    registry.register("h", ADDRESS, [])
    with registry.borrow("h") as first, registry.borrow("h") as second:
        assert first is not second
        began = time.monotonic()
        with pytest.raises(HandlerUnavailable, match="all 2 connections to 'h' were in use"):
            registry.borrow("h", timeout=0.1).__enter__()
        assert time.monotonic() - began >= 0.1
    with registry.borrow("h") as third:
        assert third in (first, second)


def test_waiting_borrower_is_served(registry: RegistryManager) -> None:
    """A borrower that waits gets the client that comes back."""
    registry.register("h", ADDRESS, [])
    with ThreadPoolExecutor(1) as pool:

        def borrow() -> int:
            with registry.borrow("h", timeout=10.0) as client:
                return id(client)

        with registry.borrow("h") as first, registry.borrow("h"):
            waiting = pool.submit(borrow)
            assert not waiting.done()
        assert isinstance(waiting.result(10.0), int)
        assert first.timeout == 30_000


def test_shared_client_is_cached_until_the_address_changes(registry: RegistryManager, until: Any) -> None:
    """One client an address; a move terminates the old one."""
    registry.register("h", ADDRESS, [])
    client = registry.client("h")
    assert registry.client("h") is client
    registry.register("h", "tcp://127.0.0.1:2", [])
    assert registry.client("h").address == "tcp://127.0.0.1:2"
    until(lambda: repr(client).endswith("terminated>"), what="the old client's end")


def test_calls_to_a_dead_incarnation_are_cut_short(registry: RegistryManager, silent_address: str) -> None:
    """When a new process registers under the id, a call that waits for the old one ends at once, not at its
    time-out.
    """
    registry.register("h", silent_address, [], incarnation="a")
    with ThreadPoolExecutor(1) as pool, registry.borrow("h") as client:
        call = pool.submit(client.call, "m")
        with pytest.raises(TimeoutError):
            call.result(0.2)
        registry.register("h", ADDRESS, [], incarnation="b")

        with pytest.raises(Disconnected):
            call.result(5.0)


def test_calls_to_a_draining_incarnation_are_left_alone(registry: RegistryManager, silent_address: str) -> None:
    """A process that said offline is finishing its calls: its successor's registration does not cut them
    short.
    """
    registry.register("h", silent_address, [], incarnation="a")
    with ThreadPoolExecutor(1) as pool, registry.borrow("h") as client:
        call = pool.submit(client.call, "m", timeout=1000)
        with pytest.raises(TimeoutError):
            call.result(0.2)
        registry.report_status("h", ReportedStatus.OFFLINE, incarnation="a")
        registry.register("h", ADDRESS, [], incarnation="b")

        error = call.exception(5.0)
        assert error is not None
        assert "no answer" in str(error)


def test_calls_are_cut_short_when_the_address_has_a_new_owner(
    registry: RegistryManager, silent_address: str
) -> None:
    """A successor at the same address proves the old process gone, farewell or not: its calls end at once."""
    registry.register("h", silent_address, [], incarnation="a")
    with ThreadPoolExecutor(1) as pool, registry.borrow("h") as client:
        call = pool.submit(client.call, "m")
        with pytest.raises(TimeoutError):
            call.result(0.2)
        registry.report_status("h", ReportedStatus.OFFLINE, incarnation="a")
        registry.register("h", silent_address, [], incarnation="b")

        with pytest.raises(Disconnected):
            call.result(5.0)


def test_close_interrupts_and_ends(silent_address: str) -> None:
    """close() ends calls under way, threads, sockets and the context, within seconds; afterwards nothing is
    lent.
    """
    threads = threading.active_count()
    registry = RegistryManager()
    registry.register("h", silent_address, [])
    registry.register("gone", silent_address, [])
    with ThreadPoolExecutor(2) as pool, registry.borrow("h") as client, registry.borrow("gone") as draining:
        calls = [pool.submit(one.call, "m") for one in (client, draining)]
        registry.unregister("gone")
        with pytest.raises(TimeoutError):
            calls[0].result(0.2)
        began = time.monotonic()
        registry.close()
        assert time.monotonic() - began < 3.0
        for call in calls:
            assert isinstance(call.exception(5.0), Disconnected)
    with pytest.raises(HandlerUnavailable, match="closed"):
        registry.client("h")
    registry.close()
    assert threading.active_count() <= threads


def test_close_ends_clients_that_are_lent_out_and_idle() -> None:
    """A connected client of a handler that has gone, lent out and in no call, does not hold up close()."""
    registry = RegistryManager()
    registry.register("h", ADDRESS, [])
    with registry.borrow("h") as client, ThreadPoolExecutor(1) as pool:
        client.connect()
        registry.unregister("h")
        closing = pool.submit(registry.close)
        try:
            closing.result(5.0)
        finally:
            client.terminate()
        assert repr(client).endswith("terminated>")


def test_foreign_context_stays_open() -> None:
    """A context that was handed in is its owner's to end."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with RegistryManager(context=context) as registry:
        registry.register("h", ADDRESS, [])
        registry.client("h").connect()
    assert not context.closed
    context.term()


def test_restart_knows_the_handlers(tmp_path: Path) -> None:
    """After a restart the handlers are there, Disconnected until heard from, with their count of
    registrations.
    """
    path = tmp_path / "registry.yaml"
    with RegistryManager(path) as registry:
        registry.register("h", ADDRESS, ["m"], incarnation="a", pid=7)
    with RegistryManager(path) as registry:
        record = registry.get("h")
        assert (record.address, record.methods, record.status) == (ADDRESS, ("m",), HandlerStatus.DISCONNECTED)
        assert registry.report_status("h", incarnation="a").status is HandlerStatus.CONNECTED
        assert registry.register("h", ADDRESS, ["m"], incarnation="b").registrations == 2


def test_file_is_written_soon_after_a_change(tmp_path: Path, until: Any) -> None:
    """A kill -9 later must find the file written: nobody has to close the registry for it."""
    path = tmp_path / "registry.yaml"
    with RegistryManager(path) as registry:
        registry.register("h", ADDRESS, [])
        until(lambda: path.exists() and '"id":"h"' in path.read_text(), what="the file")
        assert [(handler.id, handler.address) for handler in load_handlers(path)] == [("h", ADDRESS)]
        registry.unregister("h")
        until(lambda: "handlers: []" in path.read_text(), what="the file without the handler")
        assert load_handlers(path) == []


def test_unwritable_file_is_survived(tmp_path: Path, until: Any) -> None:
    """A folder that cannot be made does not fail registrations; once it can be, the file is written."""
    with RegistryManager(tmp_path / "later" / "registry.yaml") as registry:
        (tmp_path / "later").write_text("a file in the folder's place")
        registry.register("h", ADDRESS, [])
        assert registry.get("h").status is HandlerStatus.CONNECTED
        with pytest.raises(OSError, match="later"):
            registry.save()
        (tmp_path / "later").unlink()
        until(lambda: (tmp_path / "later" / "registry.yaml").exists(), what="the file", timeout=10.0)


def test_a_full_registry_forgets_who_is_away(registry: RegistryManager, monkeypatch: Any) -> None:
    """One that left makes room, with its connections; when all are connected a newcomer is refused.

    Should the forgotten one return elsewhere, calls go to its new address.
    """
    monkeypatch.setattr("schedule_zero.handler_registry._MAX_HANDLERS", 2)
    for name in ("old", "other"):
        registry.register(name, "tcp://127.0.0.1:1", ["m"], incarnation="1")
    with registry.borrow("old") as before:
        assert before.address == "tcp://127.0.0.1:1"
    registry.report_status("old", ReportedStatus.OFFLINE)

    registry.register("new", "tcp://127.0.0.1:2", ["m"])

    assert [record.id for record in registry.list()] == ["other", "new"]
    with pytest.raises(HandlerUnavailable, match="2 handlers are connected"):
        registry.register("third", "tcp://127.0.0.1:3", ["m"])
    registry.unregister("new")
    registry.register("old", "tcp://127.0.0.1:4", ["m"], incarnation="2")
    with registry.borrow("old") as after:
        assert after.address == "tcp://127.0.0.1:4"


def test_threads_use_it_at_once(registry: RegistryManager) -> None:
    """Eight threads register, report, list and unregister without losing a handler."""

    def life(n: int) -> None:
        for _ in range(50):
            registry.register(f"h{n}", ADDRESS, ["m"])
            registry.report_status(f"h{n}")
            registry.list()
            registry.unregister(f"h{n}")
        registry.register(f"h{n}", ADDRESS, ["m"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(life, range(8)))
    assert sorted(record.id for record in registry.list()) == [f"h{n}" for n in range(8)]
