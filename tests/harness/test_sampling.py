"""Numbers read off a target."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import sampling
from harness.errors import NeverReady
from harness.history.recorder import Recorder
from harness.history.records import Event, Sample
from harness.scenario.model import Scenario
from harness.scenario.values import Comparison
from harness.targets.base import Target, TargetContext

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


@pytest.fixture
def recorder() -> Recorder:
    """A recorder whose run has begun."""
    made = Recorder()
    made.begin_run()
    return made


@pytest.fixture
def target(driver: FakeDriver, short: Callable[..., Scenario], recorder: Recorder, tmp_path: Path) -> Target:
    """A target that tells what `driver.script["probe"]` says."""
    return driver.create(short(), TargetContext(tmp_path, random.Random(0), recorder))


def telling(*numbers: Mapping[str, float]) -> Callable[[], Any]:
    """A script that tells these, one after the other, and then the last for ever."""
    left = list(numbers)

    async def script() -> Mapping[str, float]:
        return left.pop(0) if len(left) > 1 else left[0]

    return script


async def test_each_number_becomes_a_sample_at_its_place(
    driver: FakeDriver, target: Target, recorder: Recorder
) -> None:
    """``name@place`` gives a sample its place."""
    driver.script["probe"] = telling({"backlog": 3.0, "rss@h1": 1e6})

    numbers = await sampling.look(target, recorder)

    assert numbers == {"backlog": 3.0, "rss@h1": 1e6}
    samples = recorder.close().of(Sample)
    assert [(s.name, s.value, s.place) for s in samples] == [("backlog", 3.0, ""), ("rss", 1e6, "h1")]


async def test_a_probe_without_an_answer_tells_nothing_and_says_so(
    driver: FakeDriver, target: Target, recorder: Recorder
) -> None:
    """The event tells how long it was waited for."""

    async def hang() -> None:
        await asyncio.Event().wait()

    driver.script["probe"] = hang

    assert await sampling.look(target, recorder, timeout=0.05) == {}
    (event,) = recorder.close().of(Event)
    assert (event.name, event.detail) == ("probe-problem", {"error": "no answer to a probe within 0.05 s"})


async def test_a_time_out_of_the_target_s_own_is_not_ours(
    driver: FakeDriver, target: Target, recorder: Recorder
) -> None:
    """A driver that raises TimeoutError is broken and must not pass for one that is slow."""

    async def give_up() -> None:
        raise TimeoutError("its own")

    driver.script["probe"] = give_up

    with pytest.raises(TimeoutError, match="its own"):
        await sampling.look(target, recorder)


async def test_sampling_looks_again_and_again_until_the_block_ends(
    driver: FakeDriver, target: Target, recorder: Recorder
) -> None:
    """Several samples within the block, none after it."""
    async with sampling.sampling(target, recorder, interval=0.01):
        while driver.told.count("probe") < 3:
            await asyncio.sleep(0.005)
    seen = driver.told.count("probe")
    await asyncio.sleep(0.05)

    assert driver.told.count("probe") == seen


def _beats(attention: sampling.Attention, numbers: Mapping[str, float], count: int) -> list[int]:
    """Which of the next `count` beats are looked at when each look tells these numbers."""
    looks = []
    for beat in range(count):
        if attention.due():
            looks.append(beat)
            attention.looked(numbers)
    return looks


async def test_where_nothing_happens_one_beat_in_eight_is_looked_at(recorder: Recorder) -> None:
    """After ten seconds of it; another number makes every beat a look again, at once."""
    attention = sampling.Attention(recorder)

    calm = _beats(attention, {"backlog": 0.0}, 41 + 24)
    first = _beats(attention, {"backlog": 1.0}, 9)

    assert calm == [*range(41), 48, 56, 64]
    assert first == [7, 8]


async def test_whatever_is_recorded_makes_the_next_beat_a_look(recorder: Recorder) -> None:
    """A heal, say, after which something must come true soon; samples themselves do not count."""
    attention = sampling.Attention(recorder)
    _beats(attention, {"backlog": 0.0}, 60)

    recorder.sample("backlog", 0.0)
    calm = _beats(attention, {"backlog": 0.0}, 3)
    recorder.event("healed")
    awake = _beats(attention, {"backlog": 0.0}, 40 + 8)
    attention.leave()
    recorder.event("healed")
    left = _beats(attention, {"backlog": 0.0}, 7)

    assert (calm, awake, left) == ([], [*range(40), 47], [])


async def test_what_is_expected_must_hold_all_at_once(driver: FakeDriver, target: Target, recorder: Recorder) -> None:
    """Two numbers that each held at some time, but never together, are waited for."""
    driver.script["probe"] = telling({"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0})
    expect = {"a": Comparison.parse("value == 1"), "b": Comparison.parse("value == 1")}

    await sampling.until(target, recorder, expect, within=5.0, interval=0.01)

    assert driver.told.count("probe") == 3


async def test_what_never_comes_is_told_with_what_was_seen(
    driver: FakeDriver, target: Target, recorder: Recorder
) -> None:
    """The message says what was waited for, how long, and what was seen last; a number that nobody told is
    named too.
    """
    driver.script["probe"] = telling({"a": 2.0})
    expect = {"a": Comparison.parse("value == 1"), "b": Comparison.parse("value <= 5")}

    with pytest.raises(NeverReady, match=r"^waited 0.1 s for a .*1, b .*5; last seen: a 2, no b$"):
        await sampling.until(target, recorder, expect, within=0.1, interval=0.01)


@pytest.mark.parametrize(
    ("length", "windows", "interval"),
    [
        (20.0, [], 0.25),
        (2500.0, [], 0.25),
        (86_400.0, [], 8.64),
        (86_400.0, [10.0, 60.0], 2.5),
        (86_400.0, [0.5], 0.25),
    ],
)
def test_a_long_run_is_looked_at_less_often(length: float, windows: list[float], interval: float) -> None:
    """Ten thousand looks at most, but four within each time in which something must come true, and never more often
    than every quarter of a second.
    """
    assert sampling.interval_for(length, windows) == interval
