"""What a scenario may name, gathered from the registries."""

from __future__ import annotations

import pytest

from harness import vocabulary
from harness.scenario.model import World

pytestmark = pytest.mark.unit


def test_the_vocabulary_knows_the_driver_with_its_operations_and_places() -> None:
    """What an editor completes and a mistake is compared with."""
    words = vocabulary.build()

    driver = words.drivers["schedule_zero"]
    assert driver.worlds == (World.REAL, World.SIM)
    assert set(driver.ops) == {
        "job.submit",
        "schedule.add",
        "schedule.pause",
        "schedule.resume",
        "schedule.remove",
        "health.check",
        "scheduler.restart",
        "scheduler.kill",
        "intruder.try",
    }
    servers = {
        f"{name}{number}{part}": "socket" if part else "process"
        for number in ("", "2", "3")
        for name, part in (("governor", ""), ("scheduler", ""), ("scheduler", ".req"))
    }
    assert driver.places == {**servers, "store": "store"}
    assert set(driver.scheduler_options.model_fields) >= {"store", "lease", "attempts", "call_timeout"}


def test_every_fault_and_check_is_there_with_a_line_of_help() -> None:
    """A kind that is registered but not known to scenarios could not be used."""
    words = vocabulary.build()

    assert set(words.faults) >= {
        "process.kill",
        "process.pause",
        "zmq.state",
        "handler.silent",
        "handler.slow",
        "process.terminate",
        "store.failing",
        "store.full",
        "store.locked",
    }
    assert words.faults["zmq.state"].takes_trigger
    assert words.faults["process.kill"].accepts == ("process", "handler")
    assert words.checks["stopped-cleanly"].sections == {"finally", "each", "then"}
    assert all(fault.about for fault in words.faults.values())
    assert all(check.about for check in words.checks.values())
    assert words.samples == {"registered-handlers", "backlog"}
    assert {"efsm-raised", "job-retried", "handler-busy"} <= words.events
