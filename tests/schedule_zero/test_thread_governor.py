"""The thread governor with real threads and sockets: what only they can show. The rest is in the folder governors."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import psutil
import pytest

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
