"""The scheduler's parts as a test wants them: a running server, a client, a governor. The pytest plugin serves them as
fixtures."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.history.history import History
from harness.history.recorder import Recorder
from harness.scenario.model import Scenario
from harness.targets.base import Place, Reply, TargetContext
from harness.targets.schedule_zero.deployment import WORKER
from harness.targets.schedule_zero.driver import ScheduleZeroDriver, ScheduleZeroTarget
from schedule_zero.deployment import Deployment, RestartSettings
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.process_governor import ProcessGovernor
from schedule_zero.service_config import ServiceConfig
from schedule_zero.zmq_client import ZMQClient

__all__ = ["ProcessGovernor", "SchedulerServer", "ZMQClient", "client", "governor", "worker_config"]


class SchedulerServer:
    """A whole scheduler in processes of its own, driven from a plain synchronous test.

    ``with SchedulerServer(folder, handlers=2) as server:`` starts governor, server and workers ``h1``, ``h2``; at the
    end of the block everything is gone. `settings` are keys of ``topology.scheduler``.
    """

    def __init__(self, folder: Path, *, handlers: int = 0, settings: Mapping[str, Any] | None = None) -> None:
        topology: dict[str, Any] = {"scheduler": dict(settings or {})}
        if handlers:
            topology["handlers"] = {"name": "h{n}", "count": handlers}
        self._folder = folder
        self._scenario = Scenario.model_validate(
            {
                "scenario": 1,
                "name": "fixture",
                "kind": "regression",
                "target": {"driver": "schedule_zero"},
                "topology": topology,
                "given": [{"op": "health.check"}],
            }
        )
        self.recorder = Recorder()
        self._runner = asyncio.Runner()
        self._stopped = False

    async def _create(self) -> None:
        """Within the loop: made outside of one, the HTTP client would make itself a loop that nobody runs or closes."""
        context = TargetContext(self._folder, random.Random(0), self.recorder)
        self._target = ScheduleZeroDriver().create(self._scenario, context)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self._runner.close)
            self._runner.run(self._create())
            undo.pop_all()
        try:
            self._runner.run(self._target.start())
            self.recorder.begin_run()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        with self._runner:
            try:
                if not self._stopped:
                    self._runner.run(self._target.stop(timeout=15.0))
            finally:
                self._runner.run(self._target.close())

    @property
    def target(self) -> ScheduleZeroTarget:
        """The target behind it."""
        assert isinstance(self._target, ScheduleZeroTarget)
        return self._target

    @property
    def url(self) -> str:
        """Base URL of the HTTP API."""
        return self.target.http_url

    @property
    def registration_address(self) -> str:
        """Where handlers register: give it to ``mock_handler_factory(register_with=...)``."""
        return self.target.registration_address

    def call(self, op: str, *, timeout: float = 10.0, **args: Any) -> Reply:
        """Make one operation, e.g. ``call("job.submit", handler="h1", method="work")``."""
        return self._runner.run(self._target.call(op, args, timeout=timeout))

    def probe(self) -> Mapping[str, float]:
        """Numbers as they are right now, ``registered-handlers`` and ``backlog`` among them."""
        return self._runner.run(self._target.probe())

    def places(self) -> list[Place]:
        """What a fault can be aimed at."""
        return list(self._target.places())

    def history(self) -> History:
        """Stop it for good, and return what it and its handlers recorded."""
        for record in self._runner.run(self._target.collect()):
            self.recorder.append(record)
        self._runner.run(self._target.stop(timeout=15.0))
        self._stopped = True
        for record in self._runner.run(self._target.collect_files()):
            self.recorder.append(record)
        return self.recorder.close()


def client(address: str, *, timeout: int = 5000) -> ZMQClient:
    """A connected client of the handler at `address`; `timeout` in milliseconds."""
    made = ZMQClient(address, timeout=timeout)
    made.connect()
    return made


def worker_config(name: str, **options: Any) -> HandlerConfig:
    """The configuration of one worker handler on a free port."""
    module, cls = WORKER
    return HandlerConfig(name, module, cls, 0, **options)


def governor(folder: Path, *handlers: HandlerConfig, restart: RestartSettings | None = None) -> ProcessGovernor:
    """A governor of this process for a deployment of its own below `folder`, on free ports; not started."""
    name = "test-governor"
    service = ServiceConfig(
        deployment=name,
        database=folder / name / "jobs.db",
        registry_path=folder / name / "registry.yaml",
        data_dir=folder / name,
    )
    deployment = Deployment(
        name=name, root=folder, service=service, handlers=handlers, restart=restart or RestartSettings()
    )
    return ProcessGovernor(deployment)
