"""The drivers there are: our own, and those that other packages add through the entry-point group
``harness.targets``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import cast

from harness.errors import UsageError
from harness.targets.base import Driver

GROUP = "harness.targets"


@cache
def drivers() -> Mapping[str, Driver]:
    """Every driver by name. Raises `UsageError` when two claim one name or one cannot be loaded."""
    from harness.targets.apscheduler.driver import ApschedulerDriver
    from harness.targets.schedule_zero.driver import ScheduleZeroDriver

    built_in: tuple[Driver, ...] = (ScheduleZeroDriver(), ApschedulerDriver())
    found = {driver.name: driver for driver in built_in}
    for point in entry_points(group=GROUP):
        try:
            driver = cast("Driver", point.load()())
        except Exception as error:
            raise UsageError(f"the target driver {point.name!r} ({point.value}) cannot be loaded: {error}") from error
        if driver.name in found:
            raise UsageError(f"two target drivers are called {driver.name!r}; the second is {point.value}")
        found[driver.name] = driver
    return found
