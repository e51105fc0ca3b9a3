"""What a scenario may name, gathered from the registries."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import session, vocabulary
from harness.errors import HarnessError
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
    assert driver.reserved == {"server"}, "what the deployment calls the scheduler: a handler of that name never starts"
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


@pytest.mark.parametrize("option", ["store: postgres", "security: keys"])
def test_what_no_simulated_world_holds_is_told_at_its_place(option: str, tmp_path: Path) -> None:
    """PostgreSQL is another program, and the simulated ZeroMQ has no CURVE: told before any world is opened."""
    file = tmp_path / "a.yaml"
    file.write_text(
        "scenario: 1\nname: a\nkind: regression\nworlds: [real, sim]\n"
        "target: {driver: schedule_zero}\n"
        f"topology: {{scheduler: {{{option}}}, handlers: {{name: h1}}}}\n"
        "given: [{op: health.check}]\nwhen: [{advance: 1s}]\nthen: [no-lost-job]\n"
    )

    with pytest.raises(HarnessError) as raised:
        session.plan([file], world=World.SIM)

    assert f"a.yaml:4:16: worlds.1: `{option}` does not run in the world `sim`" in str(raised.value)


@pytest.mark.parametrize("driver", ["schedule_zero", "apscheduler"])
@pytest.mark.parametrize(
    ("trigger", "column", "told"),
    [
        ('cron: "99 * * * *"', 40, "with.cron: cron field minute: '99' is outside 0-59"),
        ('cron: "* * *"', 40, "with.cron: expected five words, such as '*/5 3 * * mon', found 3: '* * *'"),
        ("cron: {minute: 99}", 49, "with.cron.minute: cron field minute: '99' is outside 0-59"),
        ("cron: {minit: 1}", 41, "with.cron.minit: unknown cron field 'minit', expected one of year, month, day"),
        ("cron: {hour: 3}, zone: Mars/X", 57, "with.zone: there is no time zone 'Mars/X', expected such as"),
        ("at: soon", 38, "with.at: not an instant"),
        ('at: "2027-03-01T12:00:00"', 38, "with.at: an instant needs an offset"),
        ('calendar: {days: 1, time: "99:00:00"}', 60, "with.calendar.time: hour must be in 0..23"),
        ('calendar: {days: 1, start_date: "2027-99-01"}', 66, "with.calendar.start_date: month must be in 1..12"),
        ("calendar: {}", 44, "with.calendar: the next day is no day later"),
    ],
)
def test_a_trigger_that_does_not_exist_is_told_at_its_place(
    driver: str, trigger: str, column: int, told: str, tmp_path: Path
) -> None:
    """Before anything is played: in a run only its call would fail, and the other calls might hide that."""
    handler = ", handler: h1, method: tick" if driver == "schedule_zero" else ""
    topology = "topology: {handlers: {name: h1}}\n" if driver == "schedule_zero" else "topology: {}\n"
    file = tmp_path / "a.yaml"
    file.write_text(
        f"scenario: 1\nname: a\nkind: regression\ntarget: {{driver: {driver}}}\n{topology}"
        f"when: [{{op: schedule.add, with: {{{trigger}{handler}}}}}]\nthen: [store-readable]\n"
    )

    with pytest.raises(HarnessError) as raised:
        session.plan([file])

    assert f"a.yaml:6:{column}: when.0.{told}" in str(raised.value)
    assert str(raised.value).count("a.yaml:") == 1
