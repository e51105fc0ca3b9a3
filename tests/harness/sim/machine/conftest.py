"""What the tests of the simulated machine share: both worlds under one name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness.sim.world import World


@dataclass(frozen=True)
class Arm:
    """Where a test's body runs: in reality, or in a simulated world."""

    name: str
    world: World | None = None


@pytest.fixture(params=["real", "sim"])
def world(request: pytest.FixtureRequest) -> Iterator[Arm]:
    """The body of the test runs one time on the real operating system, one time in the simulation."""
    if request.param == "real":
        yield Arm("real")
        return
    with World(seed=1) as opened:
        yield Arm("sim", opened)


@pytest.fixture
def sim() -> Iterator[World]:
    """A simulated world."""
    with World(seed=1) as opened:
        yield opened


@pytest.fixture
def in_thread() -> Callable[..., threading.Thread]:
    """Does something after a while, in a thread, which is begun and handed back."""

    def begin(action: Callable[[], object], seconds: float = 0.05) -> threading.Thread:
        def run() -> None:
            time.sleep(seconds)
            action()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return begin
