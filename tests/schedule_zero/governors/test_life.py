"""Governors of either kind in a simulated world: started, stopped, started again, by one thread or by many."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from schedule_zero.api_client import ApiClient, chosen_token, chosen_url
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.process_governor import GovernorAlreadyRunning, StartFailed

pytestmark = pytest.mark.governor


def test_started_means_that_everything_answers(sim_world: Any, stage: Any) -> None:
    """When start returns True, server and handlers are ready and answer; a second start changes nothing."""
    with stage.governor(stage.echo("h1"), stage.echo("h2")) as one:
        assert one.start()
        infos, lives = one.status(), stage.lives(one)

        assert one.start()

        assert stage.lives(one) == lives
        states = {name: (info.status, info.ready, info.restart_count) for name, info in infos.items()}
        assert states == dict.fromkeys(("server", "h1", "h2"), (ProcessStatus.RUNNING, True, 0))
        assert [info.pid is None for info in infos.values()] == [stage.threads] * 3
        assert stage.call(infos["h2"].address, "echo", value=[1, "two"]) == [1, "two"]
        assert one.health_check() == {"server": True, "h1": True, "h2": True}


def test_a_stop_leaves_nothing_and_may_be_repeated(sim_world: Any, stage: Any) -> None:
    """No service, no file, no thread is left; stopping what is stopped, or never ran, succeeds."""
    with stage.governor(stage.echo()) as one:
        assert (one.stop(), one.is_running) == (True, False)
        before = threading.active_count()
        one.start()
        assert one.is_running

        assert [one.stop(), one.stop()] == [True, True]

        assert (stage.left(one), one.is_running, one.runtime) == ([], False, None)
        assert {info.status for info in one.status().values()} == {ProcessStatus.STOPPED}
        assert one.health_check() == {"server": False, "h1": False}
        assert threading.active_count() == before


def test_it_starts_again_with_all_counts_at_zero(sim_world: Any, stage: Any) -> None:
    """Restarts of an earlier run are forgotten, the server's too: they do not look like a failed start."""
    with stage.governor(stage.echo()) as one:
        one.start()
        for name in ("server", "h1"):
            stage.crash(one, name)
            stage.until(lambda name=name: one.status()[name].restart_count == 1, f"{name} is restarted")
        one.stop()

        assert one.start()

        assert [info.restart_count for info in one.status().values()] == [0, 0]


def test_restart_replaces_everything(sim_world: Any, stage: Any) -> None:
    """restart ends with all services ready in new lives."""
    with stage.governor(stage.echo()) as one:
        one.start()
        before = stage.lives(one)

        assert one.restart(timeout=10.0)

        after = stage.lives(one)
        assert all(before[name] != after[name] for name in ("server", "h1"))
        assert one.health_check() == {"server": True, "h1": True}


@pytest.mark.sim(seeds=2)
def test_many_threads_may_start_and_stop_at_once(sim_world: Any, stage: Any) -> None:
    """Whatever the order, every call returns; after the last stop nothing is left, and a start works."""
    answers: list[bool] = []
    with stage.governor(stage.echo()) as one:

        def start() -> None:
            try:
                answers.append(one.start())
            except StartFailed as error:
                answers.append("stopped while it was starting" in str(error))

        calls = [start, one.stop, start, one.stop, one.stop, start]
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)

        assert not any(thread.is_alive() for thread in threads)
        assert answers == [True] * 3
        assert one.stop()
        assert stage.left(one) == []
        assert one.start()


def test_every_concurrent_stop_returns_when_all_is_down(sim_world: Any, stage: Any) -> None:
    """Eight threads stop: each returns True, and finds nothing left."""
    seen: list[tuple[bool, list[str]]] = []
    with stage.governor(stage.echo()) as one:
        one.start()
        threads = [threading.Thread(target=lambda: seen.append((one.stop(), stage.left(one)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)

    assert seen == [(True, [])] * 8


def test_a_stop_interrupts_a_start(sim_world: Any, stage: Any) -> None:
    """Whoever stops does not wait for a start to finish first; the start fails and leaves nothing."""
    failures: list[str] = []
    with stage.governor(stage.echo("slow", "Slow"), ready_timeout=500.0) as one:

        def start() -> None:
            try:
                one.start()
            except StartFailed as error:
                failures.append(str(error))

        thread = threading.Thread(target=start)
        thread.start()
        stage.until(lambda: stage.lives(one)["server"] is not None, "the start has begun")

        one.stop(2.0)

        thread.join(10.0)
        assert failures == ["stopped while it was starting"]
        assert sim_world.elapsed < 15.0
        assert not one.is_running


def test_a_start_that_was_interrupted_before_it_began_fails(sim_world: Any, stage: Any) -> None:
    """A signal that comes a moment before the start is not forgotten; after the stop the next start works."""
    with stage.governor() as one:
        one.interrupt()
        with pytest.raises(StartFailed, match="stopped while it was starting"):
            one.start()

        assert stage.left(one) == []
        assert one.start()


def test_a_taken_port_fails_the_start_and_leaves_nothing(sim_world: Any, stage: Any) -> None:
    """The error says so, with exit code 3; once the port is free the same governor starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = stage.make(stage.echo(), http_port=port)

        with pytest.raises(StartFailed, match=f"server did not start: .*exit code 3: .*{port}") as caught:
            one.start()

        assert caught.value.exit_code == 3
        assert (stage.left(one), one.is_running) == ([], False)
    assert one.start()
    assert one.stop()


def test_a_server_that_is_not_ready_in_time_fails_the_start(sim_world: Any, stage: Any) -> None:
    """The wait for the server is bounded, and what had begun is taken down."""
    with stage.governor(stage.echo(), ready_timeout=0.001) as one:
        with pytest.raises(StartFailed, match=r"the server has not answered within 0\.001 s"):
            one.start()

        assert stage.left(one) == []


def test_a_deployment_has_one_governor(sim_world: Any, stage: Any) -> None:
    """A second one is refused, of whichever kind, and does not disturb the first."""
    with stage.governor(stage.echo()) as first, stage.governor(stage.echo()) as second:
        first.start()
        before = stage.lives(first)
        with pytest.raises(GovernorAlreadyRunning):
            second.start()
        assert second.stop()
        assert (stage.lives(first), first.health_check()) == (before, {"server": True, "h1": True})


def test_trouble_is_what_a_new_start_would_mend(sim_world: Any, stage: Any) -> None:
    """Not running, and a server that does not answer, are trouble; starting, stopping and being well are not."""
    with stage.governor() as one:
        assert one.trouble() == "it is not running"
        one.start()
        assert one.trouble() is None
        before = one.health_check
        one.health_check = lambda: {"server": False}
        assert one.trouble() == "the server does not answer"
        one.health_check = before
        one._monitor.looked_at -= 60.0
        one._monitor._ended.set()
        assert str(one.trouble()).startswith("the monitor has not looked at anything for ")
        one.stop()
        assert one.trouble() == "it is not running"


def test_an_error_in_a_look_does_not_end_the_watch(sim_world: Any, stage: Any, caplog: Any) -> None:
    """The monitor says what it met and goes on: a crash after that is noticed all the same."""
    with stage.governor(stage.echo()) as one:
        one.start()
        service = one._services["h1"]
        attend, failures = service.attend, [ValueError("a bug")]
        service.attend = lambda now: attend(now) if not failures else (_ for _ in ()).throw(failures.pop())

        stage.until(lambda: not failures, "the look has failed")
        stage.crash(one, "h1")

        stage.until(lambda: one.status()["h1"].restart_count == 1 and one.status()["h1"].ready, "it is back")
        assert "the monitor met an unexpected error and goes on" in caplog.text


def test_commands_find_a_server_with_any_port(sim_world: Any, stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With port 0 the server leaves word where it listens, for this user alone; a restarted one leaves its own, and
    after the stop there is none.
    """
    monkeypatch.delenv("SCHEDULEZERO_URL", raising=False)
    monkeypatch.delenv("SCHEDULEZERO_TOKEN", raising=False)
    place = (None, "t", None, stage.folder)
    word = stage.folder / "t" / "server.json"
    word.parent.mkdir(parents=True)
    word.write_text('{"http_url": "http://127.0.0.1:1"}')  # of a governor that was killed
    with stage.governor(stage.echo()) as governor:
        governor.start()
        for _ in range(2):
            assert word.stat().st_mode & 0o777 == 0o600
            api = ApiClient(chosen_url(*place), token=chosen_token(*place))
            assert [one["id"] for one in api.call("GET", "/api/handlers")["handlers"]] == ["h1"]
            life = stage.lives(governor)["server"]
            stage.crash(governor, "server")
            stage.until(lambda: stage.lives(governor)["server"] not in (None, life), "the next life")  # noqa: B023
            stage.until(lambda: governor.status()["server"].ready, "a server that is ready")
        governor.stop(10.0)
        assert not word.exists()
