"""Wall time is virtual in C: under every name, in every form, and each process has its own."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import time_machine

from harness.sim import World

BOUND = partial(datetime.now, UTC)
"""As APScheduler binds it at import, out of reach of any replacement of names."""
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_world_begins_with_the_year_and_moves_with_sleep() -> None:
    """datetime.now, also where it was bound before, shows the epoch plus what was slept, to the microsecond."""
    with World():
        assert BOUND() == NEW_YEAR
        time.sleep(0.000001)
        assert BOUND() == datetime.now(UTC) == NEW_YEAR + timedelta(microseconds=1)


def test_every_form_of_the_wall_clock_agrees() -> None:
    """Seconds, nanoseconds, struct_time, text, date, naive datetime: all say the same second."""
    with World(epoch=datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC)):
        assert datetime.fromtimestamp(time.time(), UTC) == datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC)
        assert time.time_ns() == 1_809_587_289_000_000_000
        assert time.gmtime()[:6] == time.localtime()[:6] == (2027, 5, 6, 7, 8, 9)
        assert time.strftime("%F %T") == "2027-05-06 07:08:09"
        assert time.ctime() == time.asctime() == "Thu May  6 07:08:09 2027"
        assert time.ctime(0) == "Thu Jan  1 00:00:00 1970"
        assert date.today() == date(2027, 5, 6)  # noqa: DTZ011 - that it is simulated is the point
        assert datetime.now() == datetime(2027, 5, 6, 7, 8, 9)  # noqa: DTZ001, DTZ005 - likewise


def test_the_local_time_zone_is_the_world_s() -> None:
    """Local time is UTC unless asked otherwise, whatever the machine's, which has its own back afterwards."""
    before = os.environ.get("TZ"), time.tzname
    with World(timezone="Asia/Tokyo"):
        assert time.localtime().tm_hour == 9
    with World():
        assert time.localtime().tm_hour == 0

    assert (os.environ.get("TZ"), time.tzname) == before


def test_a_wall_clock_may_jump_and_the_monotonic_does_not() -> None:
    """An hour's jump back is seen by datetime alone."""
    with World() as world:
        before = time.monotonic()
        world.kernel.current_process.clock.offset = -3_600_000_000

        assert datetime.now(UTC) == NEW_YEAR - timedelta(hours=1)
        assert time.monotonic() == before


def test_every_process_has_a_wall_clock_of_its_own() -> None:
    """A child whose clock is an hour ahead stamps an hour ahead, while its parent does not."""
    seen: list[datetime] = []

    def child() -> None:
        time.sleep(10)
        seen.append(datetime.now(UTC))

    with World() as world:
        process = world.kernel.new_process("ahead")
        process.clock.offset = 3_600_000_000
        world.kernel.spawn(process, "MainThread", child)
        process.exited.wait()
        assert datetime.now(UTC) == NEW_YEAR + timedelta(seconds=10)

    assert seen == [NEW_YEAR + timedelta(hours=1, seconds=10)]


def test_an_epoch_without_zone_is_refused() -> None:
    """A naive epoch could mean anything; the error shows how to write it."""
    with pytest.raises(ValueError, match="expected a datetime with a time zone"):
        World(epoch=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake itself


def test_real_time_is_back_afterwards() -> None:
    """After the world nobody travels, and the clock shows a year that is not the world's."""
    with World(epoch=datetime(1999, 1, 1, tzinfo=UTC)):
        assert datetime.now(UTC).year == 1999

    assert time_machine.traveller_stack == []
    assert datetime.now(UTC).year > 2024


def test_another_journey_is_refused() -> None:
    """A test that travels with time-machine already is told so, instead of two clocks fighting."""
    with (
        time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)),
        pytest.raises(RuntimeError, match="travelling already"),
        World(),
    ):
        pass
    assert datetime.now(UTC).year > 2024
