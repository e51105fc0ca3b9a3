"""A backup that another process makes while the service works."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.requests import RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.sqlite_backup import restore_backup

pytestmark = [pytest.mark.integration]


async def _submit(service: SchedulerService, accepted: list[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        request = RunNow(handler_id="h", job_method="work", job_params={"value": len(accepted)})
        accepted.append(await service.run_now(request))


def _back_up(root: Path, copy: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "schedule_zero.cli", "backup", str(copy), "--json", "--root", str(root)]
    done = subprocess.run([*command, "--deployment", "t"], capture_output=True, text=True, timeout=30, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_no_accepted_job_is_lost_by_a_backup(kit: Any, tmp_path: Path) -> None:
    """What was accepted before `schedule-zero backup` began is in the copy, and ends with an outcome wherever that is
    restored; the service goes on meanwhile, and every job that it accepts has its outcome there, too.
    """
    copy, elsewhere = tmp_path / "copy.db", tmp_path / "restored.db"
    accepted: list[str] = []
    before: list[str] = []

    async def work_and_back_up() -> None:
        database = tmp_path / "t" / "schedule_zero.db"
        async with kit.serving(store="sqlite", database=database) as service, kit.handling(service):
            await kit.registered(service, "h")
            stop = asyncio.Event()
            load = [asyncio.create_task(_submit(service, accepted, stop)) for _ in range(4)]
            await kit.until(lambda: len(accepted) >= 40, "forty accepted jobs")
            before.extend(accepted)
            facts = await asyncio.to_thread(_back_up, tmp_path, copy)
            after = len(accepted)
            stop.set()
            await asyncio.gather(*load)
            assert facts["jobs"] + facts["executions"] >= len(before)
            assert after > len(before)
            for job_id in accepted:
                await kit.done(service, job_id)

    async def go_on_elsewhere() -> None:
        async with kit.serving(store="sqlite", database=elsewhere) as service, kit.handling(service):
            for job_id in before:
                await kit.done(service, job_id)

    kit.run(work_and_back_up)
    restore_backup(copy, elsewhere)
    kit.run(go_on_elsewhere)
