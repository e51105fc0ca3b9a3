"""What a governor tells of its services in numbers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from schedule_zero.governor_base import ProcessInfo
from schedule_zero.usage import process_usage

__all__ = ["metrics_of"]


def metrics_of(
    deployment: str,
    uptime: float,
    infos: Mapping[str, ProcessInfo],
    health: Mapping[str, bool],
    usage: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Totals and services as plain data; ``uptime`` in seconds.

    A service that came while the others were asked is there without health and usage.
    """
    pid = os.getpid()
    return {
        "deployment": deployment,
        "uptime": uptime,
        "total_services": len(infos),
        "healthy_services": sum(health.get(name, False) for name in infos),
        "restarts": sum(info.restart_count for info in infos.values()),
        "governor": {"pid": pid, **process_usage(pid)},
        "services": {
            name: {
                **dataclasses.asdict(info),
                "healthy": health.get(name, False),
                "usage": dict(usage.get(name, {})),
            }
            for name, info in infos.items()
        },
    }
