"""A loop with virtual time, streams, and targets that do what a test says."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Status
from harness.scenario.model import Workload
from harness.targets.base import Reply, Target
from harness.workload.driver import drive
from harness.workload.payloads import Payloads


class _VirtualSelector(selectors.DefaultSelector):
    """Never waits: the time it was asked to wait for has passed at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Ready descriptors at once; without any the clock jumps."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("deadlock: nothing is due and nobody will wake this loop")
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer; neither `time` nor anything else is patched."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now


class NamedStreams:
    """Streams seeded by seed and name, as the runner has them."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    def stream(self, name: str) -> random.Random:
        """A new stream."""
        return random.Random(f"{self.seed}/{name}")


class FakeTarget:
    """Answers each operation with `behave(number, args)`; keeps the arguments in `seen`."""

    def __init__(self, behave: Callable[[int, Mapping[str, Any]], Awaitable[Reply]]) -> None:
        self._behave = behave
        self.seen: list[dict[str, Any]] = []

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Note the arguments and behave."""
        self.seen.append(dict(args))
        return await self._behave(len(self.seen), args)


Play = Callable[..., History]


@pytest.fixture
def virtual() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Run a coroutine function in a loop with virtual time."""

    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        async def call() -> Any:
            return await main()

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(call())

    return run


@pytest.fixture
def streams() -> NamedStreams:
    """The random streams of seed 1."""
    return NamedStreams()


@pytest.fixture
def target() -> Callable[..., FakeTarget]:
    """Make a target that takes `seconds` for each call, or does what `behave` says."""

    def make(
        seconds: float = 0.0, behave: Callable[[int, Mapping[str, Any]], Awaitable[Reply]] | None = None
    ) -> FakeTarget:
        async def answer(number: int, args: Mapping[str, Any]) -> Reply:
            await asyncio.sleep(seconds)
            return Reply(Status.OK, ref=f"job-{number}")

        return FakeTarget(behave or answer)

    return make


@pytest.fixture
def play(virtual: Callable[[Callable[[], Awaitable[Any]]], Any], streams: NamedStreams) -> Play:
    """Play one workload, given as the mapping of a scenario file, against a target in virtual time."""

    def run(
        spec: dict[str, Any],
        target: FakeTarget,
        *,
        stop_at: float | None = None,
        grace: float = 5.0,
        handlers: tuple[str, ...] = ("h1", "h2"),
        block: tuple[float, float] | None = None,
    ) -> History:
        async def main() -> History:
            loop = asyncio.get_running_loop()
            recorder = Recorder(clock=loop.time)
            recorder.begin_run()
            stop = asyncio.Event()
            if stop_at is not None:
                loop.call_at(loop.time() + stop_at, stop.set)
            if block is not None:
                loop.call_at(loop.time() + block[0], _stall, loop, block[1])
            await drive(
                Workload.model_validate({"id": "w", "op": "job.submit", **spec}),
                cast(Target, target),
                recorder,
                payloads=Payloads(streams, handlers),
                streams=streams,
                stop=stop,
                grace=grace,
            )
            assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []
            recorder.event("driver-returned")
            return recorder.close()

        return cast(History, virtual(main))

    return run


def _stall(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """The loop stands still for `seconds`, as when the generator's process gets no processor."""
    assert isinstance(loop, VirtualLoop)
    loop._virtual.now += seconds
