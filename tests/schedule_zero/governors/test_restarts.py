"""Governors of either kind in a simulated world: what crashes comes back, how soon, and how often."""

from __future__ import annotations

import time
from typing import Any

import pytest

from schedule_zero.governor_base import ProcessStatus, RestartPolicy

pytestmark = pytest.mark.governor


def test_a_crashed_handler_comes_back_where_it_was(sim_world: Any, stage: Any) -> None:
    """Same address, another life, a count of one, and the reason."""
    with stage.governor(stage.echo()) as one:
        one.start()
        before, life = one.status()["h1"], stage.lives(one)["h1"]

        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].restart_count == 1 and one.status()["h1"].ready, "it is back")

        after = one.status()["h1"]
        assert (after.address, after.status) == (before.address, ProcessStatus.RUNNING)
        assert stage.lives(one)["h1"] != life
        how = "thread 1 ended with exit code 1: the handler ended by itself" if stage.threads else "by signal 9"
        assert how in str(after.last_error)
        assert stage.call(after.address, "echo", value=7) == 7


def test_a_crashed_server_comes_back_where_it_was(sim_world: Any, stage: Any) -> None:
    """Same ports, so that the handlers find it; none of them is restarted."""
    with stage.governor(stage.echo()) as one:
        one.start()
        before = one.runtime

        stage.crash(one, "server")
        stage.until(lambda: one.status()["server"].restart_count == 1 and one.runtime, "the server is back")

        after = one.runtime
        assert (after.http_url, after.registration_address) == (before.http_url, before.registration_address)
        assert one.status()["h1"].restart_count == 0
        assert one.trouble() is None


def test_a_crash_loop_backs_off_and_ends(sim_world: Any, stage: Any) -> None:
    """Restarts after 1, 2 and 4 seconds, then none; nobody else suffers."""
    stage.slower(backoff=2.0)
    with stage.governor(stage.echo(), stage.echo("dies", "Dies", restart_delay=1.0, max_restarts=3)) as one:
        assert one.start() is False
        begun = time.monotonic()
        stage.until(lambda: one.status()["dies"].status is ProcessStatus.CRASHED, "it is given up", 60.0)

        dies = one.status()["dies"]
        assert 6.0 < time.monotonic() - begun < 10.0
        assert (dies.restart_count, dies.exit_code, stage.lives(one)["dies"]) == (3, 1, None)
        assert "ended with exit code 1: " in str(dies.last_error)
        assert "no luck today" in str(dies.last_error)
        assert one.health_check() == {"server": True, "h1": True, "dies": False}


def test_a_back_off_has_a_limit(sim_world: Any, stage: Any) -> None:
    """No delay is longer than max_delay."""
    stage.slower(backoff=10.0, max_delay=2.0)
    with stage.governor(stage.echo("dies", "Dies", restart_delay=1.0, max_restarts=4)) as one:
        one.start()
        begun = time.monotonic()
        stage.until(lambda: one.status()["dies"].status is ProcessStatus.CRASHED, "it is given up", 60.0)

        assert 6.0 < time.monotonic() - begun < 12.0


def test_who_stayed_up_long_enough_starts_anew_at_zero(sim_world: Any, stage: Any) -> None:
    """With one restart allowed in a row, a handler that lives for healthy_after is restarted every time."""
    stage.slower(healthy_after=30.0)
    with stage.governor(stage.echo(max_restarts=1)) as one:
        one.start()
        for number in (1, 2, 3):
            time.sleep(31.0)
            stage.crash(one, "h1")
            stage.until(
                lambda number=number: one.status()["h1"].restart_count == number and one.status()["h1"].ready,
                f"restart {number}",
            )
        assert one.status()["h1"].status is ProcessStatus.RUNNING


def test_who_does_not_stay_up_is_given_up(sim_world: Any, stage: Any) -> None:
    """With one restart allowed in a row, the second crash before healthy_after is the last."""
    stage.slower(healthy_after=30.0)
    with stage.governor(stage.echo(max_restarts=1)) as one:
        one.start()
        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].restart_count == 1 and one.status()["h1"].ready, "the restart")
        time.sleep(20.0)
        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].status is ProcessStatus.CRASHED, "it is given up")

        assert one.status()["h1"].restart_count == 1
        # By hand it has all its restarts again.
        assert one.restart_handler("h1")
        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].restart_count == 3 and one.status()["h1"].ready, "it is back")


def test_a_server_that_is_given_up_is_trouble(sim_world: Any, stage: Any) -> None:
    """Without restarts a crash of the server stays, and the governor says that it cannot mend that."""
    stage.slower(policy=RestartPolicy.NEVER)
    with stage.governor() as one:
        one.start()
        assert one.trouble() is None
        stage.crash(one, "server")
        stage.until(lambda: one.status()["server"].status is ProcessStatus.CRASHED, "it is given up")

        assert str(one.trouble()).startswith("the server is crashed: ")


def test_without_auto_restart_a_crash_is_final(sim_world: Any, stage: Any) -> None:
    """auto_restart=False: the first crash is the last."""
    with stage.governor(stage.echo(auto_restart=False)) as one:
        one.start()
        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].status is ProcessStatus.CRASHED, "the crash is noticed")

        assert one.status()["h1"].restart_count == 0


def test_a_handler_that_does_not_import_is_not_restarted(sim_world: Any, stage: Any) -> None:
    """Exit code 2 with the reason, no restart, and the others are well."""
    with stage.governor(stage.echo("bad", "Absent"), stage.echo("good")) as one:
        assert one.start() is False

        bad = one.status()["bad"]
        assert (bad.status, bad.exit_code, bad.restart_count) == (ProcessStatus.CRASHED, 2, 0)
        assert "has no class 'Absent'" in str(bad.last_error)
        stage.until(lambda: one.health_check() == {"server": True, "bad": False, "good": True}, "the others are well")


def test_settings_that_a_class_does_not_take_are_told(sim_world: Any, stage: Any) -> None:
    """Exit code 2 and no restart, as for every mistake of configuration."""
    with stage.governor(stage.echo("bad", volume=11)) as one:
        assert one.start() is False

        bad = one.status()["bad"]
        assert (bad.exit_code, bad.restart_count) == (2, 0)
        assert "stage_handlers.Echo cannot be made with " in str(bad.last_error)
        assert "volume" in str(bad.last_error)


def test_a_start_that_the_system_refuses_is_tried_again(sim_world: Any, stage: Any) -> None:
    """No process, or no thread, to be had: that is a crash like any other, with back-off."""
    with stage.governor(stage.echo()) as one:
        one.start()
        process = one._services["h1"].process
        begin, refusals = process.begin, [OSError("no more"), OSError("no more")]

        def refuse(launch: Any) -> int:
            if refusals:
                raise refusals.pop()
            return int(begin(launch))

        process.begin = refuse
        stage.crash(one, "h1")
        stage.until(lambda: one.status()["h1"].status is ProcessStatus.CRASHED, "it is given up")
        assert one.status()["h1"].last_error == "cannot be started: no more"
        assert one.restart_handler("h1")
