"""A due schedule that somebody else has locked: it is waited for, not asked for as fast as the machine can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from schedule_zero.postgres_url import parse

pytestmark = pytest.mark.integration

Within = Callable[..., None]


def test_a_schedule_that_is_locked_is_asked_for_now_and_then(cluster: Any, within: Within) -> None:
    """While it is held, a second and more, there are a few looks at it; then it fires at once, for every time."""

    async def scene() -> None:
        async with (
            cluster.server("a", "h") as a,
            await psycopg.AsyncConnection.connect(parse(cluster.url).conninfo) as other,
        ):
            await a.add_schedule(cluster.every(0.5, misfire_grace_time=None))
            await cluster.until(lambda: cluster.count["s"] >= 1, "the first firing")
            await other.execute("SELECT * FROM schedule_zero.schedules FOR UPDATE")
            before, commits = cluster.count["s"], a.storage.commits
            await asyncio.sleep(1.5)
            held = a.storage.commits - commits
            assert cluster.count["s"] <= before + 1
            await other.rollback()
            await cluster.until(lambda: cluster.count["s"] >= before + 3, "what was due meanwhile", timeout=1.0)
            assert held < 150

    within(scene)
