"""What a handler leaves running, whatever it does to hide it, fails the run for real."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from harness import session
from harness.checks.verdict import Outcome
from harness.scenario.model import World

pytestmark = [pytest.mark.integration, pytest.mark.real, pytest.mark.slow]

HANDLER = """
import subprocess
from schedule_zero.zmq_handler_base import BaseHandler

class Careless(BaseHandler):
    def work(self):
        shell = "setsid sleep 333 </dev/null >/dev/null 2>&1 & echo $!"
        done = subprocess.run(["env", "-i", "/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
        return int(done.stdout)
"""

SCENARIO = """
scenario: 1
name: t.daemons
kind: load
seed: 3
limits: {setup: 30s, run: 20s, settle: 10s, teardown: 10s}
target: {driver: schedule_zero}
topology: {handlers: {name: "h{n}", count: 1, module: careless, class: Careless}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, model: once}
checks:
  always: [no-lost-job]
  finally: [no-orphan-process]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing but the environment tells there")
def test_a_daemon_with_a_cleared_environment_is_an_orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no session and no parent says whose it is; the run finds it, fails, and ends it."""
    (tmp_path / "careless.py").write_text(HANDLER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    file = tmp_path / "daemons.yaml"
    file.write_text(SCENARIO)

    (planned,) = session.plan([file], world=World.REAL)
    verdict = session.Session(tmp_path / "reports").play(planned).verdict

    failed = [check for check in verdict.checks if check.outcome is Outcome.FAIL]
    assert [check.name for check in failed] == ["no-orphan-process"], verdict.reason
    said = failed[0].evidence[0].text
    assert "sleep 333" in said
    pid = int(said.partition("pid ")[2].partition(",")[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
