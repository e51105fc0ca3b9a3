"""Requests for methods: refused while the handler is there and says that it has no such method."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from apscheduler import Job

from schedule_zero.addressees import Addressees
from schedule_zero.errors import UnknownHandler
from schedule_zero.handler_registry import RegistryManager, ReportedStatus
from schedule_zero.idempotency import fingerprint
from schedule_zero.refusals import IdempotencyConflict, UnknownMethod
from schedule_zero.requests import RunNow, call_kwargs
from schedule_zero.rows import EXECUTOR
from schedule_zero.scheduler import task_id
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store

ADDRESS = "tcp://127.0.0.1:5555"
Scene = Callable[[JobStore, RegistryManager, Addressees], Awaitable[None]]


def _play(scene: Scene) -> None:
    async def bounded() -> None:
        store = build_store("memory://")
        await store.database.start()
        with RegistryManager() as registry:
            async with asyncio.timeout(20.0):
                await scene(store, registry, Addressees(store, registry.get, 4))
        await store.database.close()

    asyncio.run(bounded())


def _ask(method: str) -> RunNow:
    return RunNow(handler_id="h", job_method=method)


async def _accept(store: JobStore, request: RunNow, key: str) -> UUID:
    job = Job(task_id=task_id("h"), kwargs=call_kwargs(request), executor=EXECUTOR)
    return await store.accept(job, key=key, fingerprint=fingerprint(request))


def test_the_methods_told_at_the_registration_are_those_that_pass() -> None:
    """Of two methods that were told each passes, and a third is refused by the names of both."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        registry.register("h", ADDRESS, ["add", "echo"])
        assert [await addressees.admit(_ask(name), None) for name in ("add", "echo")] == [None, None]
        with pytest.raises(UnknownMethod) as caught:
            await addressees.admit(_ask("ecko"), None)
        assert str(caught.value) == "job_method: handler 'h' has no method 'ecko'; it has: add, echo"

    _play(scene)


def test_a_handler_of_many_methods_names_the_first_of_them() -> None:
    """A thousand names would be no message: thirty, and how many more there are."""
    error = UnknownMethod("h", "x", [f"m{n}" for n in range(1000)])
    assert error.reason.startswith("handler 'h' has no method 'x'; it has: m0, m1, ")
    assert error.reason.endswith(", m28, m29, and 970 more")


def test_who_tells_no_methods_is_not_checked() -> None:
    """A registration without methods, as of a peer that does not know them, takes any."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        registry.register("h", ADDRESS, [])
        assert await addressees.admit(_ask("whatever"), None) is None

    _play(scene)


def test_the_latest_registration_counts() -> None:
    """A newer version's methods pass from its registration on, and those it dropped pass no more."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        registry.register("h", ADDRESS, ["old"], incarnation="1")
        registry.register("h", ADDRESS, ["new"], incarnation="2")
        assert await addressees.admit(_ask("new"), None) is None
        with pytest.raises(UnknownMethod, match=r"it has: new$"):
            await addressees.admit(_ask("old"), None)

    _play(scene)


def test_a_handler_that_is_away_may_come_back_with_more() -> None:
    """After its farewell, or with its record removed, nobody knows what the next version has: any passes."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        registry.register("h", ADDRESS, ["old"])
        registry.report_status("h", ReportedStatus.OFFLINE)
        assert await addressees.admit(_ask("new"), None) is None
        registry.unregister("h")
        assert await addressees.admit(_ask("new"), None) is None

    _play(scene)


def test_a_handler_that_nobody_knows_is_refused_as_such() -> None:
    """Before its first registration the handler is what is wrong, not the method."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        with pytest.raises(UnknownHandler, match="no handler 'h' has ever registered here"):
            await addressees.admit(_ask("echo"), None)

    _play(scene)


def test_a_repeated_request_is_answered_though_its_method_is_gone() -> None:
    """Under its key it gets the job that it got; another request under that key is a conflict, a new key is refused."""

    async def scene(store: JobStore, registry: RegistryManager, addressees: Addressees) -> None:
        registry.register("h", ADDRESS, ["old"], incarnation="1")
        assert await addressees.admit(_ask("old"), "k") is None
        job_id = await _accept(store, _ask("old"), "k")
        registry.register("h", ADDRESS, ["new"], incarnation="2")
        assert await addressees.admit(_ask("old"), "k") == str(job_id)
        with pytest.raises(IdempotencyConflict):
            await addressees.admit(_ask("older"), "k")
        with pytest.raises(UnknownMethod):
            await addressees.admit(_ask("old"), "k2")

    _play(scene)
