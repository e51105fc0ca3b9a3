"""Clocks of processes: offset, drift, never back."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.sim.drift import Clock

EPOCH = 1_767_225_600_000_000


class Now:
    """The world's time, as the tests set it."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        """Microseconds since the start of the world."""
        return self.now


def test_clocks_start_together() -> None:
    """Monotonic time starts at 1000 s, wall time at the world's epoch; without drift both follow the world."""
    clock = Clock(EPOCH, Now())
    assert (clock.monotonic(0), clock.wall(0)) == (1000.0, EPOCH)
    assert (clock.monotonic(2_500_000), clock.wall(2_500_000)) == (1002.5, EPOCH + 2_500_000)


def test_an_offset_moves_the_wall_clock_only() -> None:
    """The wall clock may jump both ways; the monotonic one does not notice."""
    clock = Clock(EPOCH, Now())
    clock.offset = -3_600_000_000
    assert clock.wall(10) == EPOCH - 3_600_000_000 + 10
    assert clock.monotonic_us(10) == 1_000_000_010


def test_drift_counts_from_when_it_is_set() -> None:
    """A clock that starts to run 10 % fast after 100 s shows 210 s after 200 s, and keeps that when it is mended."""
    world = Now()
    clock = Clock(0, world)
    world.now = 100_000_000
    clock.drift = 100_000
    assert clock.elapsed(200_000_000) == 210_000_000
    assert clock.wall(200_000_000) == 210_000_000
    world.now = 200_000_000
    clock.drift = 0
    assert clock.drift == 0
    assert clock.elapsed(300_000_000) == 310_000_000


@pytest.mark.parametrize("ppm", [-1_000_000, -2_000_000])
def test_a_clock_cannot_stand_still(ppm: int) -> None:
    """Drift that would stop the clock or turn it back is refused."""
    with pytest.raises(ValueError, match="stop the clock"):
        Clock(0, Now()).drift = ppm


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(-900_000, 5_000_000)), max_size=10))
def test_monotonic_time_never_goes_back(changes: list[tuple[int, int]]) -> None:
    """Whatever drift is set when, the monotonic clock never shows less than before."""
    world = Now()
    clock = Clock(0, world)
    last = clock.monotonic(0)
    for passed, ppm in changes:
        world.now += passed
        now = world.now
        assert clock.monotonic(now) >= last
        last = clock.monotonic(now)
        clock.drift = ppm
        assert clock.monotonic(now) >= last
        last = clock.monotonic(now)


@settings(deadline=None)
@given(st.integers(-999_000, 5_000_000), st.integers(0, 10**12), st.integers(0, 10**7), st.integers(0, 10**10))
@example(333_333, 0, 1, 2)
@example(500_000, 0, 1, 3)
def test_a_wait_is_never_shorter_on_the_process_own_clock(ppm: int, drifts: int, later: int, duration: int) -> None:
    """After `true(duration)` of the world, the process's clock has counted at least `duration`."""
    world = Now()
    clock = Clock(0, world)
    world.now = drifts
    clock.drift = ppm
    began = drifts + later
    assert clock.elapsed(began + clock.true(duration)) - clock.elapsed(began) >= duration
