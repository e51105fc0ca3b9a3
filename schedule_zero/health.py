"""How a service's parts are, put together."""

from __future__ import annotations

from schedule_zero.scheduler import KeptScheduler
from schedule_zero.store import JobStore
from schedule_zero.views import Health, PartHealth

__all__ = ["health_of"]


async def health_of(
    store: JobStore,
    scheduler: KeptScheduler,
    *,
    registration: str | None,
    deployment: str,
    uptime: float,
    stopping: bool,
) -> Health:
    """The health of a service; answers within half a second even if the store is locked.

    `registration` is the address where handlers register, None while nothing listens; `uptime` is in seconds.
    """
    trouble = await store.database.probe()
    up = scheduler.is_running
    parts = {
        "store": PartHealth(trouble is None, trouble or store.unreadable.describe()),
        "scheduler": PartHealth(up, "" if up else scheduler.last_error or "not running"),
        "registration": PartHealth(registration is not None, registration or "not listening"),
    }
    well = all(part.ok for part in parts.values())
    return Health(
        status="stopping" if stopping else "ok" if well else "degraded",
        deployment=deployment,
        uptime=uptime,
        running_jobs=store.running_jobs,
        scheduler_restarts=scheduler.restarts,
        parts=parts,
    )
