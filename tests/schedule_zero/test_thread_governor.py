"""The thread governor with real threads and sockets: what only they can show. The rest is in the folder governors."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import psutil
import pytest

from schedule_zero.deployment import load_deployment
from schedule_zero.deployment_dump import write_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import GovernorKind
from schedule_zero.governor_run import make_governor
from schedule_zero.readiness import connected_handlers
from schedule_zero.thread_governor import ThreadGovernor

pytestmark = [pytest.mark.integration, pytest.mark.governor]


@pytest.fixture
def governor(world: Any, echo: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A thread governor with the handlers h1 and h2; stopped at the end."""
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    made = ThreadGovernor(world.deployment(echo("h1"), echo("h2")))
    yield made
    made.stop(5.0)


def test_all_of_it_is_in_this_process(world: Any, governor: Any, call: Any) -> None:
    """No process is started; handlers are registered, answer calls, and can be had as objects."""
    assert governor.start()

    assert world.processes() == []
    infos = governor.status()
    assert call(infos["h1"].address, "echo", value=7) == 7
    assert governor.handler("h1").echo(8) == 8
    assert (governor.handler("server"), governor.handler("x")) == (None, None)
    assert sorted(connected_handlers(governor.runtime.http_url)) == ["h1", "h2"]


def test_lives_come_and_go_without_a_trace(world: Any, governor: Any, until: Any) -> None:
    """After restarts, a crash and the stop there are as many threads and descriptors as before; the second time."""
    governor.start()
    governor.stop()  # what the first use of a library opens for good is none of the governor's
    before = (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate()))
    governor.start()
    assert governor.restart_handler("h1")
    governor.handler("h2").stop()
    until(lambda: governor.status()["h2"].restart_count == 1 and governor.status()["h2"].ready, "h2 is back")
    assert governor.restart()

    assert governor.stop()

    assert governor.abandoned == []
    assert (psutil.Process().num_fds(), sorted(thread.name for thread in threading.enumerate())) == before
    assert world.pid_files() == []


def test_a_deployment_says_of_which_kind_its_governor_is(world: Any) -> None:
    """kind: thread in the deployment makes a ThreadGovernor."""
    deployment = dataclasses.replace(world.deployment(), kind=GovernorKind.THREAD)

    assert type(make_governor(deployment)) is ThreadGovernor
    assert type(make_governor(world.deployment())) is not ThreadGovernor


def test_the_kind_is_part_of_the_configuration(tmp_path: Any) -> None:
    """It is read from YAML, survives being written back, and a mistake is told with its place."""
    (tmp_path / "t.yaml").write_text("governor: {kind: thread}")
    loaded = load_deployment("t", tmp_path / "t.yaml", env={}, root=tmp_path)
    write_deployment(loaded, tmp_path / "again.json")

    assert loaded.kind is GovernorKind.THREAD
    assert load_deployment("t", tmp_path / "again.json", env={}, root=tmp_path).kind is GovernorKind.THREAD
    assert load_deployment("t", env={}, root=tmp_path).kind is GovernorKind.PROCESS
    (tmp_path / "t.yaml").write_text("governor: {kind: fibre}")
    with pytest.raises(ConfigError, match=r"t\.yaml:1:18: governor\.kind: expected .*process.*thread.*found 'fibre'"):
        load_deployment("t", tmp_path / "t.yaml", env={}, root=tmp_path)


def test_where_a_thread_hangs_is_told(
    world: Any, echo: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """File and function of the method that does not return; once it does, its thread ends."""
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    gate = threading.Event()
    one = ThreadGovernor(world.deployment(echo("h1")))
    one.start()
    handler = one.handler("h1")
    assert handler is not None

    def stop_at_the_gate(timeout: float = 5.0) -> bool:
        gate.wait(60.0)
        return type(handler).stop(handler, timeout)

    handler.stop = stop_at_the_gate  # type: ignore[method-assign]
    try:
        assert one.stop(0.5) is False
        assert "test_thread_governor.py:" in caplog.text
        assert " in stop_at_the_gate, called from " in caplog.text
        assert [thread.name for thread in one.abandoned] == ["h1-life-1"]
    finally:
        gate.set()
        for thread in one.abandoned:
            thread.join(20.0)
    assert one.abandoned == []
