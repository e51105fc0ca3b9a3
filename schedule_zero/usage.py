"""What a process costs."""

from __future__ import annotations

import psutil

__all__ = ["process_usage"]


def process_usage(pid: int | None) -> dict[str, float]:
    """``rss`` in bytes, ``cpu`` in seconds of user and system time, ``threads``; empty when there is no such process.

    >>> import os
    >>> sorted(process_usage(os.getpid()))
    ['cpu', 'rss', 'threads']
    """
    if pid is None:
        return {}
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return {
                "rss": process.memory_info().rss,
                "cpu": times.user + times.system,
                "threads": process.num_threads(),
            }
    except psutil.Error:
        return {}
