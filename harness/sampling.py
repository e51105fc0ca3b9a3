"""Reads numbers off the target at a steady pace, and waits for what is expected of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from harness.errors import NeverReady
from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, Sample
from harness.scenario.values import Comparison
from harness.targets.base import Target

INTERVAL = 0.25
"""Seconds between two looks; small against every ``within`` a scenario may name."""
LOOKS = 10_000
"""Looks in the longest run: a day of virtual time must not be a history of samples."""
CALM = 40
"""Looks that must have told the same, ten seconds of them in a short run, before fewer will do."""
REST = 8
"""Beats to a look then: two seconds in a short run."""


def interval_for(length: float, windows: Iterable[float] = ()) -> float:
    """Seconds between two looks in a run of `length` seconds: `LOOKS` of them at most, but at least four in each of the
    `windows` (seconds) within which something is expected of them.

    >>> interval_for(20.0)
    0.25
    >>> interval_for(86_400.0)
    8.64
    >>> interval_for(86_400.0, [10.0])
    2.5
    """
    return max(INTERVAL, min([length / LOOKS, *(window / 4 for window in windows)]))


async def look(target: Target, recorder: Recorder, *, timeout: float = 5.0) -> Mapping[str, float]:
    """One probe of the target, recorded as samples; ``name@place`` gives a sample its place.

    A probe that is not over after `timeout` seconds tells nothing, and leaves the event ``probe-problem``.
    """
    try:
        async with asyncio.timeout(timeout) as limit:
            numbers = await target.probe()
    except TimeoutError:
        if not limit.expired():
            raise
        recorder.event("probe-problem", error=f"no answer to a probe within {timeout:g} s")
        return {}
    for key, value in numbers.items():
        name, _, place = key.partition("@")
        recorder.sample(name, value, place)
    return numbers


class Attention:
    """How closely to look: at every beat, but at one beat in `REST` once `CALM` looks in a row have told the same
    numbers and nothing else was recorded meanwhile. Whatever is recorded then makes the next beat a look again.

    Call `leave` when done.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._calm = self._passed = 0
        self._numbers: Mapping[str, float] | None = None
        self.leave = recorder.subscribe(self._recorded)

    def _recorded(self, record: AnyRecord) -> None:
        if not isinstance(record, Sample):
            self._calm = 0

    def due(self) -> bool:
        """Whether this beat is one to look at."""
        self._passed += 1
        return self._calm < CALM or self._passed >= REST

    def looked(self, numbers: Mapping[str, float]) -> None:
        """This is what was seen."""
        self._passed = 0
        self._calm = self._calm + 1 if numbers == self._numbers else 0
        self._numbers = numbers


@contextlib.asynccontextmanager
async def sampling(target: Target, recorder: Recorder, *, interval: float = INTERVAL) -> AsyncIterator[None]:
    """Look at the target every `interval` seconds for as long as the block runs; less often where nothing happens
    (see `Attention`)."""
    attention = Attention(recorder)

    async def forever() -> None:
        while True:
            if attention.due():
                attention.looked(await look(target, recorder))
            await asyncio.sleep(interval)

    task = asyncio.create_task(forever(), name="sampling")
    try:
        yield
    finally:
        attention.leave()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(
    target: Target, recorder: Recorder, expect: Mapping[str, Comparison], *, within: float, interval: float = 0.1
) -> None:
    """Return when every expectation holds at once; raises `NeverReady` after `within` seconds with what was seen
    last."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    numbers: Mapping[str, float] = {}
    while True:
        numbers = await look(target, recorder, timeout=max(interval, deadline - loop.time()))
        if all(name in numbers and bound.holds(numbers[name]) for name, bound in expect.items()):
            return
        if loop.time() >= deadline:
            break
        await asyncio.sleep(interval)
    wanted = ", ".join(f"{name} {bound}" for name, bound in expect.items())
    seen = ", ".join(f"{name} {numbers[name]:g}" if name in numbers else f"no {name}" for name in expect)
    raise NeverReady(f"waited {within:g} s for {wanted}; last seen: {seen}")
