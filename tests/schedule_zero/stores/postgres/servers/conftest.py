"""Servers on one PostgreSQL store, in the test's process and in others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.requests import JobState, NewSchedule, RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler


class Tally(BaseHandler):
    """Counts its calls by value, in a count that several handlers share; `wait` stays until `gate` opens."""

    def __init__(self, *args: Any, count: Counter[Any], gate: threading.Event, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = count
        self.gate = gate

    def work(self, value: Any = None) -> Any:
        """Count and return the value."""
        self.count[value] += 1
        return value

    def wait(self, value: Any = None) -> Any:
        """Count, wait for the gate, return."""
        self.count[value] += 1
        self.gate.wait(30.0)
        return value


class Cluster:
    """Servers on one store, each with a handler of its own under the same id."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count: Counter[Any] = Counter()
        self.gate = threading.Event()

    @asynccontextmanager
    async def server(self, name: str, *handlers: str, url: str = "", **config: Any) -> AsyncIterator[SchedulerService]:
        """A started server, and a handler registered with it for each id."""
        settings = {
            "store": url or self.url,
            "server_id": name,
            "lease": 1.0,
            "retry": RetrySettings(attempts=2, base=0.01, factor=1.0, jitter=0.0),
            "call_timeout": 5.0,
            "stop_timeout": 0.2,
            **config,
        }
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(SchedulerService(ServiceConfig(**settings), store_timeout=5.0))
            for handler in handlers:
                await stack.enter_async_context(self.handler(service, handler))
            yield service

    @asynccontextmanager
    async def handler(self, service: SchedulerService | str, handler_id: str = "h") -> AsyncIterator[Tally]:
        """A handler registered with that server, or at that address."""
        address = service if isinstance(service, str) else service.registration_address
        worker = Tally(handler_id, server_address=address, heartbeat=0.2, count=self.count, gate=self.gate)
        worker.start()
        try:
            await self.until(lambda: worker.is_registered, f"registration of {handler_id}")
            yield worker
        finally:
            self.gate.set()
            # In a thread, because it says goodbye to the server, which answers in this loop.
            await asyncio.to_thread(worker.stop, 2.0)

    @staticmethod
    def connected(service: SchedulerService) -> list[str]:
        """The handlers that the server has a connection to."""
        return [handler.id for handler in service.handlers() if handler.status == "Connected"]

    async def until(self, condition: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
        """Wait for a condition; a failure says what was waited for."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition()
            value = await value if isinstance(value, Awaitable) else value
            if value:
                return value
            await asyncio.sleep(0.01)
        raise AssertionError(f"waited {timeout:g} s in vain for: {what}")

    async def done(self, service: SchedulerService, job_id: str, timeout: float = 15.0) -> Any:
        """Wait until the job has its outcome; returns its view."""

        async def view() -> Any:
            job = await service.job(job_id)
            return job if job.state is JobState.DONE else None

        return await self.until(view, f"outcome of {job_id}", timeout)

    @staticmethod
    def request(method: str = "work", handler: str = "h", value: Any = None, **fields: Any) -> RunNow:
        """A job to run now."""
        return RunNow(handler_id=handler, job_method=method, job_params={"value": value}, **fields)

    @staticmethod
    def every(seconds: float, name: str = "s", **fields: Any) -> NewSchedule:
        """A schedule that fires every so many seconds."""
        trigger = {"type": "interval", "seconds": seconds}
        values = {"job_params": {"value": name}, "coalesce": "all", **fields}
        return NewSchedule(handler_id="h", job_method="work", job_id=name, trigger=trigger, **values)


@pytest.fixture
def cluster(postgres_server: Any, database: str) -> Cluster:
    """Servers on a database of the test's own."""
    return Cluster(postgres_server.url(database))


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, url: str, name: str, *, lease: float = 1.0, ahead: float = 0.0) -> None:
        program = Path(__file__).with_name("server_process.py")
        command = [sys.executable, str(program), url, name, str(lease), str(ahead)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    async def address(self) -> str:
        """Where handlers register, once it is up."""
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line, "the server ended while it started"
        return line.strip()

    def kill(self) -> None:
        """kill -9, and clear away."""
        self.process.kill()
        self.process.wait(10.0)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server_process(cluster: Cluster) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers in processes of their own, on the cluster's store."""
    started: list[ServerProcess] = []

    def start(name: str, **options: Any) -> ServerProcess:
        started.append(ServerProcess(cluster.url, name, **options))
        return started[-1]

    yield start
    for server in started:
        server.kill()
