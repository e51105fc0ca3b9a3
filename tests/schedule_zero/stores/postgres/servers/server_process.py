"""A server as a process of its own, for the tests of this folder: prints its registration address, then serves.

Run: python server_process.py URL SERVER_ID LEASE SECONDS_AHEAD
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

import time_machine

from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig


async def serve(url: str, server_id: str, lease: float) -> None:
    """Serve until somebody ends this process."""
    config = ServiceConfig(store=url, server_id=server_id, lease=lease, call_timeout=5.0)
    async with SchedulerService(config) as service:
        sys.stdout.write(f"{service.registration_address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main(url: str, server_id: str, lease: str, ahead: str) -> None:
    """Serve with a clock that is `ahead` seconds ahead."""
    if not float(ahead):
        asyncio.run(serve(url, server_id, float(lease)))
        return
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        # By as much as is missing now: beginning to travel takes a second where the machine is busy.
        clock.shift(float(ahead) + time_machine.escape_hatch.time.time() - time.time())
        asyncio.run(serve(url, server_id, float(lease)))


if __name__ == "__main__":
    main(*sys.argv[1:])
