"""A registry that answers as it is told, and a log, for the executor of jobs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schedule_zero.execution_log import ExecutionLog, ExecutionRecord


class Script:
    """A registry with one client that answers as it is told: exceptions are raised, the rest returned."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, Any, int | None, str | None]] = []
        self.borrowed: list[float | None] = []
        self.called = threading.Event()
        self.called_twice = threading.Event()

    @contextmanager
    def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Script]:
        """Lend the client."""
        self.borrowed.append(timeout)
        yield self

    def call(
        self, method: str, params: Any = None, *, timeout: int | None = None, request_id: str | None = None
    ) -> Any:
        """Answer as scripted."""
        self.calls.append((method, params, timeout, request_id))
        self.called.set()
        if len(self.calls) == 2:
            self.called_twice.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


@pytest.fixture
def script_class() -> type[Script]:
    """To make registries with the answers that a test wants, or with a behaviour of its own."""
    return Script


@pytest.fixture
def with_log() -> Callable[[Callable[[ExecutionLog], Awaitable[ExecutionRecord | None]]], ExecutionRecord | None]:
    """Runs a scene with a started log, with a deadline."""

    def run(scene: Callable[[ExecutionLog], Awaitable[ExecutionRecord | None]]) -> ExecutionRecord | None:
        async def bounded() -> ExecutionRecord | None:
            async with asyncio.timeout(20.0):
                log = ExecutionLog(":memory:")
                await log.start()
                try:
                    return await scene(log)
                finally:
                    await log.close()

        return asyncio.run(bounded())

    return run


@pytest.fixture
def until_known() -> Callable[[ExecutionLog], Awaitable[None]]:
    """Waits until the log knows job j; the scene's deadline bounds the wait."""

    async def wait(log: ExecutionLog) -> None:
        while await log.get("j") is None:
            await asyncio.sleep(0.001)

    return wait
