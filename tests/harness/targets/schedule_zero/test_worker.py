"""What the mock handlers of the driver can be asked for."""

from __future__ import annotations

import inspect

import pytest

from harness.targets.schedule_zero.driver import ScheduleZeroDriver
from harness.targets.schedule_zero.worker import Worker
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.unit


def test_the_methods_that_scenarios_may_name_are_those_of_the_worker() -> None:
    """The list that files are checked against is the class's own."""
    own = [
        name
        for name, _ in inspect.getmembers(Worker, inspect.isfunction)
        if not name.startswith("_") and not hasattr(BaseHandler, name)
    ]

    assert tuple(own) == ScheduleZeroDriver.methods
