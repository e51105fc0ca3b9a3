"""Governors of either kind in a simulated world: handlers that come, go, are bounced, and will not leave."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from typing import Any

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.process_governor import StartFailed
from schedule_zero.server import Server

pytestmark = pytest.mark.governor


def test_handlers_come_and_go(sim_world: Any, stage: Any) -> None:
    """A handler is added, listed, called, and removed again with all that it had."""
    with stage.governor(stage.echo("h1")) as one:
        one.start()

        assert one.add_handler(stage.echo("h2"))
        assert one.list_handlers() == ["h1", "h2"]
        info = one.get_handler_status("h2")
        assert stage.call(info.address, "echo", value=1) == 1

        assert one.remove_handler("h2")
        assert (one.list_handlers(), one.get_handler_status("h2")) == (["h1"], None)
        assert list(stage.lives(one)) == ["server", "h1"]
        assert not (one.deployment.pids_dir / "h2.pid").exists()


def test_adding_again_is_harmless_unless_it_differs(sim_world: Any, stage: Any) -> None:
    """The same handler again is a no-op; another one under its id, or an id that cannot be, changes nothing."""
    with stage.governor(stage.echo("h1")) as one:
        one.start()
        lives = stage.lives(one)

        assert one.add_handler(stage.echo("h1"))
        with pytest.raises(ConfigError, match="'h1' exists with another configuration"):
            one.add_handler(stage.echo("h1", "Deaf"))
        with pytest.raises(ConfigError, match="handler id: expected"):
            one.add_handler(stage.echo("../evil"))
        with pytest.raises(ConfigError, match="handler id: expected"):
            one.add_handler(stage.echo("server"))

        assert stage.lives(one) == lives


def test_what_is_added_before_the_start_is_started_with_it(sim_world: Any, stage: Any) -> None:
    """add_handler configures a governor that does not run yet; remove_handler takes it back."""
    with stage.governor() as one:
        assert one.add_handler(stage.echo("h1"))
        assert one.add_handler(stage.echo("h2"))
        assert one.status()["h1"].status is ProcessStatus.STOPPED
        assert one.remove_handler("h2")
        assert one.restart_handler("h1") is False

        assert one.start()

        assert one.health_check() == {"server": True, "h1": True}


def test_unknown_handlers_are_answered_with_false(sim_world: Any, stage: Any) -> None:
    """Nothing raises for a handler that is not there, and the server is no handler."""
    with stage.governor() as one:
        one.start()
        for name in ("x", "server"):
            asked = (one.remove_handler(name), one.restart_handler(name), one.get_handler_status(name))
            assert asked == (False, False, None)
        assert one.health_check() == {"server": True}


def test_a_handler_is_restarted_by_hand(sim_world: Any, stage: Any) -> None:
    """Another life at the same address; nobody else is touched."""
    with stage.governor(stage.echo("h1"), stage.echo("h2")) as one:
        one.start()
        before, lives = one.status(), stage.lives(one)

        assert one.restart_handler("h1")

        after = one.status()
        assert stage.lives(one)["h1"] != lives["h1"]
        assert (after["h1"].address, stage.lives(one)["h2"]) == (before["h1"].address, lives["h2"])
        assert (after["h1"].restart_count, after["h2"].restart_count) == (1, 0)


def test_a_call_under_way_is_finished_before_the_handler_goes(sim_world: Any, stage: Any) -> None:
    """remove_handler drains: the caller has the answer."""
    answers: list[Any] = []
    with stage.governor(stage.echo()) as one:
        one.start()
        address = one.status()["h1"].address
        caller = threading.Thread(target=lambda: answers.append(stage.call(address, "sleep", seconds=2.0)))
        caller.start()
        time.sleep(0.5)

        assert one.remove_handler("h1")

        caller.join(10.0)
        assert answers == [2.0]


def test_a_namesake_waits_for_who_is_leaving(sim_world: Any, stage: Any) -> None:
    """While h1 is being removed another h1 is added: it begins after the end of the first, and keeps its files."""
    with stage.governor(stage.echo()) as one:
        one.start()
        address = one.status()["h1"].address
        caller = threading.Thread(target=lambda: stage.call(address, "sleep", seconds=3.0))
        caller.start()
        time.sleep(0.5)
        leaving = threading.Thread(target=lambda: one.remove_handler("h1"))
        leaving.start()
        stage.until(lambda: one.list_handlers() == [], "the removal has begun")

        assert one.add_handler(stage.echo())

        leaving.join(10.0)
        caller.join(10.0)
        assert one.health_check() == {"server": True, "h1": True}
        if not stage.threads:
            assert (one.deployment.pids_dir / "h1.pid").exists()


def test_a_stop_waits_for_who_is_leaving(sim_world: Any, stage: Any) -> None:
    """A handler that is just being removed is part of what a stop takes down."""
    with stage.governor(stage.echo("deaf", "Deaf")) as one:
        one.start()
        service = one._services["deaf"]
        leaving = threading.Thread(target=lambda: one.remove_handler("deaf", timeout=30.0))
        leaving.start()
        stage.until(lambda: one.list_handlers() == [], "the removal has begun")
        begun = time.monotonic()

        assert one.stop(timeout=10.0) is not stage.threads

        assert service.process.incarnation is None
        assert time.monotonic() - begun < 10.0
        leaving.join(10.0)


def test_who_will_not_stop_is_got_rid_of_in_time(sim_world: Any, stage: Any) -> None:
    """A process is killed. A thread cannot be: it is given up, told of, counted until it ends, and not in the way."""
    with stage.governor(stage.echo("deaf", "Deaf"), stage.echo("h1")) as one:
        one.start()
        begun = time.monotonic()

        assert one.stop(timeout=2.0) is not stage.threads

        assert time.monotonic() - begun < 3.0
        deaf, well = one.status()["deaf"], one.status()["h1"]
        assert (deaf.status, well.exit_code) == (ProcessStatus.STOPPED, 0)
        assert deaf.exit_code == (1 if stage.threads else -9)
        assert "has not stopped in time and " in str(deaf.last_error)
        if stage.threads:
            assert one.get_metrics()["abandoned_threads"] == len(one.abandoned) > 0
            assert one.remove_handler("deaf")
            assert one.start(), "whom it gave up does not hold the governor up"
            stage.until(lambda: one.abandoned == [], "they end at last", 120.0)
            assert one.stop()


def test_a_deaf_handler_is_replaced_at_another_port_where_its_own_is_held(sim_world: Any, stage: Any) -> None:
    """restart_handler succeeds also when the old life cannot be ended."""
    with stage.governor(stage.echo("deaf", "Deaf")) as one:
        one.start()
        before = one.status()["deaf"].address

        assert one.restart_handler("deaf", timeout=1.0)

        assert (one.status()["deaf"].address == before) is not stage.threads
        one.stop(1.0)


def test_a_handler_that_never_gets_ready_holds_up_nobody(sim_world: Any, stage: Any) -> None:
    """A constructor that hangs: start answers False in time, the others work, the stop is in time."""
    with stage.governor(stage.echo("slow", "Slow"), stage.echo("h1"), ready_timeout=5.0) as one:
        assert one.start() is False
        assert sim_world.elapsed < 6.0
        assert one.health_check() == {"server": True, "slow": False, "h1": True}
        assert one.add_handler(stage.echo("h2"))

        begun = time.monotonic()
        one.stop(timeout=3.0)
        assert time.monotonic() - begun < 4.0


def test_metrics_count_services_and_restarts(sim_world: Any, stage: Any) -> None:
    """Totals agree with the services, and everything is plain data."""
    with stage.governor(stage.echo("h1")) as one:
        assert one.get_metrics()["uptime"] == 0.0
        one.start()
        one.restart_handler("h1")
        time.sleep(60.0)

        metrics = json.loads(json.dumps(one.get_metrics()))

        assert (metrics["deployment"], metrics["total_services"], metrics["healthy_services"]) == ("t", 2, 2)
        assert (metrics["restarts"], metrics["services"]["h1"]["restart_count"]) == (1, 1)
        assert 60.0 < metrics["uptime"] < 70.0
        assert set(metrics["governor"]) == {"pid", "cpu", "threads"}  # memory is not simulated
        usage = {"abandoned_threads"} if stage.threads else {"cpu", "threads"}
        assert [set(one["usage"]) for one in metrics["services"].values()] == [usage, usage]


@pytest.mark.sim(seeds=3)
def test_a_storm_of_orders_ends_in_order(sim_world: Any, stage: Any) -> None:
    """Four threads add, remove, bounce, stop and start at random: no order hangs, and the last stop cleans up."""
    problems: list[str] = []
    with stage.governor(stage.echo("h1")) as one:

        def orders(number: int) -> None:
            chance = random.Random(f"{sim_world.seed}/{number}")
            for _ in range(4):
                name = chance.choice(["h1", "h2"])
                order = chance.choice(["add", "remove", "bounce", "start", "stop", "look"])
                try:
                    match order:
                        case "add":
                            one.add_handler(stage.echo(name))
                        case "remove":
                            one.remove_handler(name, timeout=2.0)
                        case "bounce":
                            one.restart_handler(name, timeout=2.0)
                        case "start":
                            one.start()
                        case "stop":
                            one.stop(10.0)
                        case _:
                            one.get_metrics()
                except StartFailed as error:
                    if "stopped while it was starting" not in str(error):
                        problems.append(f"{order}: {error}")
                except Exception as error:  # noqa: BLE001 - told by the assertion
                    problems.append(f"{order}: {error!r}")

        threads = [threading.Thread(target=orders, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600.0)

        assert problems == []
        assert [thread.name for thread in threads if thread.is_alive()] == []
        assert one.stop(10.0)
        assert stage.left(one) == []


@pytest.mark.parametrize("stage", ["thread"], indirect=True)
def test_there_are_never_two_servers_of_one_deployment(
    sim_world: Any, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs in its stop is given up; as long as it lives no other is started."""
    stop = Server.stop

    async def hang(server: Server, timeout: float | None = None) -> None:
        await asyncio.sleep(60.0)
        await stop(server, timeout)

    with stage.governor(stage.echo()) as one:
        one.start()
        with monkeypatch.context() as patch:
            patch.setattr(Server, "stop", hang)
            assert one.stop(2.0) is False
        with pytest.raises(StartFailed, match="has not ended yet; try again later"):
            one.start()
        assert stage.lives(one) == {"server": None, "h1": None}
        time.sleep(65.0)
        assert one.start()
