"""Services and handlers in the event loop of a test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schedule_zero.requests import JobState, RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler


class Counting(BaseHandler):
    """Counts its calls by value; `wait` stays until `gate` opens, or its value is in `let_go`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count: Counter[Any] = Counter()
        self.gate = threading.Event()
        self.let_go: set[Any] = set()

    def work(self, value: Any = None) -> Any:
        """Count and return the value."""
        self.count[value] += 1
        return value

    def wait(self, value: Any = None) -> Any:
        """Count, wait to be let go, return."""
        self.count[value] += 1
        end = time.monotonic() + 30.0
        while value not in self.let_go and time.monotonic() < end and not self.gate.wait(0.01):
            pass
        return value

    def echo(self, value: Any) -> Any:
        """Return the value."""
        return value

    def fail(self) -> None:
        """Raise."""
        raise ValueError("no such luck")


class Kit:
    """Makes services and handlers in the event loop of a test, and waits for them."""

    QUICK = RetrySettings(attempts=3, base=0.01, factor=1.0, jitter=0.0)
    Worker = Counting

    @asynccontextmanager
    async def handling(
        self, service: SchedulerService, handler_id: str = "h", **options: Any
    ) -> AsyncIterator[Counting]:
        """A handler, registered with the service."""
        worker = Counting(handler_id, server_address=service.registration_address, heartbeat=0.2, **options)
        worker.start()
        try:
            yield worker
        finally:
            worker.gate.set()
            # In a thread, because it says goodbye to the server, which answers in this loop.
            await asyncio.to_thread(worker.stop, 2.0)

    @asynccontextmanager
    async def serving(self, *, store_timeout: float = 10.0, **config: Any) -> AsyncIterator[SchedulerService]:
        """A started service; `store_timeout` is how many seconds it waits for its store."""
        settings = {"store": "memory", "retry": self.QUICK, "call_timeout": 5.0, "stop_timeout": 0.2, **config}
        async with SchedulerService(ServiceConfig(**settings), store_timeout=store_timeout) as service:
            yield service

    def run(self, scene: Callable[[], Awaitable[None]]) -> None:
        """Run a scene in a loop of its own, with a deadline."""

        async def bounded() -> None:
            async with asyncio.timeout(60.0):
                await scene()

        asyncio.run(bounded())

    async def until(
        self, condition: Callable[[], Awaitable[Any] | Any], what: str, timeout: float = 15.0
    ) -> Any:
        """Wait for a condition; a failure says what was waited for."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition()
            value = await value if isinstance(value, Awaitable) else value
            if value:
                return value
            await asyncio.sleep(0.005)
        raise AssertionError(f"waited {timeout:g} s in vain for: {what}")

    async def registered(self, service: SchedulerService, *names: str) -> None:
        """Wait until these handlers are connected."""

        def there() -> bool:
            return set(names) <= {h.id for h in service.handlers() if h.status == "Connected"}

        await self.until(there, f"registration of {names}")

    async def done(self, service: SchedulerService, job_id: str) -> Any:
        """Wait until the job has its outcome; returns its view."""

        async def view() -> Any:
            job = await service.job(job_id)
            return job if job.state is JobState.DONE else None

        return await self.until(view, f"outcome of {job_id}")

    def request(self, method: str = "work", handler: str = "h", **fields: Any) -> RunNow:
        """A job to run now."""
        value = fields.pop("value", None)
        return RunNow(
            handler_id=handler,
            job_method=method,
            job_params={} if method == "fail" else {"value": value},
            **fields,
        )


@pytest.fixture
def kit() -> Kit:
    """What tests of the service are made with."""
    return Kit()
