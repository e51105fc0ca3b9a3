"""What the tests of schedule_zero share."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

Until = Callable[..., None]


@pytest.fixture
def anyio_backend() -> str:
    """APScheduler's stores and zmq.asyncio run on asyncio only."""
    return "asyncio"


@pytest.fixture
def until() -> Until:
    """Wait for a condition with a deadline; a condition that stays false fails the test by name."""

    def wait(condition: Callable[[], object], *, what: str, timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                pytest.fail(f"waited {timeout:.1f} s for: {what}")
            time.sleep(0.005)

    return wait
