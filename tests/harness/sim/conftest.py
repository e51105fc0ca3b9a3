"""What all tests of the simulated world share: worlds that are closed, and put back what they patched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from harness.sim.boundary.patcher import Patcher
from harness.sim.kernel import Kernel
from harness.sim.threads import install

Opened = Callable[..., AbstractContextManager[Kernel]]


@contextmanager
def opened_kernel(seed: int = 1, **options: Any) -> Iterator[Kernel]:
    """A kernel with simulated threads and nothing else of the world; no watchdog unless asked for."""
    patcher = Patcher()
    try:
        with Kernel(seed, **{"patience": 0, **options}) as kernel:
            install(patcher, kernel)
            yield kernel
            kernel.unwind()
    finally:
        patcher.restore()


@pytest.fixture(scope="session")
def opened() -> Opened:
    """Opens a kernel: ``with opened(seed=7, step_cost=3) as kernel``; keeps nothing, hence one for all."""
    return opened_kernel


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """An open kernel of seed 1."""
    with opened_kernel() as kernel:
        yield kernel
