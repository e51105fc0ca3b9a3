"""Log lines at a pace that no flood can raise."""

from __future__ import annotations

import logging
import time

import pytest

from harness.sim.world import World
from schedule_zero.complaints import Complaints

pytestmark = pytest.mark.unit
LOGGER = logging.getLogger("schedule_zero.test_complaints")


def test_one_line_of_a_kind_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand complaints are two lines, the second of which counts those between; another kind is not held up."""
    complaints = Complaints(LOGGER)
    with World(seed=1):
        said = [complaints.say("malformed", "bad: %s", n) for n in range(1000)]
        assert (said[0], any(said[1:])) == (True, False)
        assert complaints.say("other", "worse", level=logging.ERROR)
        time.sleep(10.0)
        complaints.say("malformed", "bad: %s", "again")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "bad: 0"),
        ("ERROR", "worse"),
        ("WARNING", "bad: again (and 999 more that were not logged)"),
    ]


def test_a_traceback_is_logged_when_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """Further options reach the logger."""
    try:
        raise ValueError("struck")
    except ValueError:
        Complaints(LOGGER).say("failure", "a request failed", exc_info=True)
    assert "ValueError: struck" in caplog.text
