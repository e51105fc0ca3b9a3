"""How large processes are: open descriptors, threads, memory."""

from __future__ import annotations

from collections.abc import Mapping

import psutil


def sizes(pids: Mapping[str, int]) -> dict[str, float]:
    """Open descriptors, threads and memory (bytes) of each process by name; of one that is gone nothing, and what its
    system does not tell is left out.

    >>> import os
    >>> sorted(sizes({"me": os.getpid()}))
    ['fds@me', 'rss@me', 'threads@me']
    """
    numbers: dict[str, float] = {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                numbers[f"fds@{name}"] = float(process.num_fds())
                numbers[f"threads@{name}"] = float(process.num_threads())
                # Last: nobody knows how much memory a simulated process would need.
                numbers[f"rss@{name}"] = float(process.memory_info().rss)
        except psutil.Error:
            continue
    return numbers
