"""One stage for governors of both kinds, so that one suite of tests can be played over either."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.deployment import Deployment, RestartSettings, ServiceConfig
from schedule_zero.governor_base import SERVER, HandlerConfig, RestartPolicy
from schedule_zero.governor_core import GovernorCore
from schedule_zero.process_governor import ProcessGovernor
from schedule_zero.thread_governor import ThreadGovernor
from schedule_zero.zmq_client import ZMQClient

HANDLERS = """
import time
from schedule_zero.zmq_handler_base import BaseHandler

class Echo(BaseHandler):
    def echo(self, value):
        return value
    def sleep(self, seconds):
        time.sleep(seconds)
        return seconds

class Dies(BaseHandler):
    def __init__(self, *args, **kwargs):
        raise RuntimeError("no luck today")

class Slow(BaseHandler):
    def __init__(self, *args, **kwargs):
        time.sleep(600)

class Late(BaseHandler):
    def stop(self, timeout=5.0):
        time.sleep(2)
        return super().stop(timeout)

class Deaf(BaseHandler):
    def stop(self, timeout=5.0):
        time.sleep(60)
        return super().stop(timeout)
"""


class Stage:
    """A folder for one deployment, `t`, and what is done with its governor whatever kind that has."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self.restart = RestartSettings(RestartPolicy.ON_FAILURE, max_restarts=2, restart_delay=0.05, backoff=1.0)

    @property
    def threads(self) -> bool:
        """Whether governors run their services as threads."""
        return self.kind == "thread"

    def deployment(self, *handlers: HandlerConfig, **service: Any) -> Deployment:
        """The deployment with these handlers; port 0 everywhere unless `service` says otherwise."""
        home = self.folder / "t"
        config = ServiceConfig(
            deployment="t", database=home / "jobs.db", registry_path=home / "registry.yaml", data_dir=home, **service
        )
        return Deployment("t", self.folder, config, handlers, self.restart)

    def make(self, *handlers: HandlerConfig, ready_timeout: float = 20.0, **service: Any) -> GovernorCore[Any]:
        """A governor, not started."""
        kind = ThreadGovernor if self.threads else ProcessGovernor
        return kind(self.deployment(*handlers, **service), ready_timeout=ready_timeout)

    @contextlib.contextmanager
    def governor(self, *handlers: HandlerConfig, **options: Any) -> Iterator[GovernorCore[Any]]:
        """A governor, not started, that is stopped at the end."""
        made = self.make(*handlers, **options)
        try:
            yield made
        finally:
            made.stop(5.0)

    def echo(self, handler_id: str = "h1", class_name: str = "Echo", **more: Any) -> HandlerConfig:
        """A handler of this stage's module, restarted quickly and twice at most."""
        return HandlerConfig(
            handler_id, "stage_handlers", class_name, **{"restart_delay": 0.05, "max_restarts": 2, **more}
        )

    def slower(self, **changes: Any) -> None:
        """Other restart settings for governors made from here on."""
        self.restart = replace(self.restart, **changes)

    def crash(self, governor: GovernorCore[Any], name: str) -> None:
        """End a service from outside: a process by SIGKILL, a thread by ending what it works at."""
        pid = governor.status()[name].pid
        if isinstance(governor, ThreadGovernor):
            if name == SERVER:
                work: Any = governor._work(SERVER)
                work._loop.call_soon_threadsafe(sys.exit, 7)
            else:
                handler = governor.handler(name)
                assert handler is not None, f"{name} does not run"
                handler.stop()
        else:
            assert pid is not None, f"{name} does not run"
            os.kill(pid, signal.SIGKILL)

    def lives(self, governor: GovernorCore[Any]) -> dict[str, int | None]:
        """Which life each service is in: a pid, or the number of a thread."""
        return {name: service.process.incarnation for name, service in governor._services.items()}

    def until(self, condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
        """Wait for a condition; one that stays false fails the test by name."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                pytest.fail(f"waited {timeout:.1f} s for: {what}")
            time.sleep(0.005)

    def call(self, address: str | None, method: str, **params: Any) -> Any:
        """The answer of the handler at an address."""
        assert address is not None
        with ZMQClient(address, timeout=5000) as client:
            return client.call(method, params)

    def left(self, governor: GovernorCore[Any]) -> list[str]:
        """What a stop should have removed: services that live, pid files, the server's file."""
        alive = [name for name, life in self.lives(governor).items() if life is not None]
        folder = governor.deployment.directory
        return [*alive, *sorted(path.name for path in (*folder.glob("pids/*"), *folder.glob("server.json")))]


@pytest.fixture(params=["process", "thread"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage for each kind of governor."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "stage_handlers.py").write_text(HANDLERS)
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(modules), *([inherited] if inherited else [])]))
    monkeypatch.syspath_prepend(str(modules))
    yield Stage(tmp_path / "deployments", request.param)
    sys.modules.pop("stage_handlers", None)
