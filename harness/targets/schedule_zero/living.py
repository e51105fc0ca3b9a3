"""What processes of a deployment are like while they live, and whether they still do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import psutil

from harness.errors import TargetError


def sizes(processes: Iterable[tuple[str, psutil.Process]]) -> dict[str, float]:
    """Open descriptors, threads and memory (bytes) of each: ``fds@scheduler``, ``threads@h1``, ``rss@governor``."""
    numbers: dict[str, float] = {}
    for name, process in processes:
        try:
            with process.oneshot():
                numbers[f"fds@{name}"] = float(process.num_fds())
                numbers[f"threads@{name}"] = float(process.num_threads())
                # Last: nobody knows how much memory a simulated process would need.
                numbers[f"rss@{name}"] = float(process.memory_info().rss)
        except psutil.Error:
            continue
    return numbers


async def ended(name: str, process: psutil.Process, *, timeout: float = 3.0) -> None:
    """Wait for a process to end; raises `TargetError` when it has not within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while _lives(process):
        if loop.time() >= deadline:
            raise TargetError(
                f"the process of {name} (pid {process.pid}) still runs {timeout:g} s after {name} was removed"
            )
        await asyncio.sleep(0.03)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def listening(process: psutil.Process) -> set[int]:
    """The TCP ports it listens on."""
    try:
        return {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return set()
