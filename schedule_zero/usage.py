"""What a process costs."""

from __future__ import annotations

import psutil

__all__ = ["process_usage"]


def process_usage(pid: int | None) -> dict[str, float]:
    """``rss`` in bytes, ``cpu`` in seconds of user and system time, ``threads``; without what cannot be known.

    >>> import os
    >>> sorted(process_usage(os.getpid()))
    ['cpu', 'rss', 'threads']
    """
    if pid is None:
        return {}
    try:
        facts = psutil.Process(pid).as_dict(["cpu_times", "memory_info", "num_threads"])
    except psutil.Error:
        return {}
    cpu, memory, threads = facts["cpu_times"], facts["memory_info"], facts["num_threads"]
    found = {
        "rss": None if memory is None else memory.rss,
        "cpu": None if cpu is None else cpu.user + cpu.system,
        "threads": threads,
    }
    return {name: value for name, value in found.items() if value is not None}
