"""Two ways to have many calls in flight to one handler: threads with pooled REQ clients, and one asyncio DEALER.

The server's executor uses the first. This says what the second would give and cost there: calls a second from one
event loop to one handler process, and processor time of the calling process for each, at 1, 16 and 100 calls in
flight. No row of the table of goals; decision 6 rests on it.

Run: python benchmarks/calls_in_flight.py
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import interleaved, served, show, until_parent_leaves

CALLS = 1000
ROUNDS = 7
POOL = 16
"""Threads, and REQ clients, that the server gives each handler."""
THREADS, DEALER = "threads, pooled REQ", "asyncio DEALER"


def serve_handler() -> None:
    """A handler of ours that echoes until its parent leaves."""
    from schedule_zero.zmq_handler_base import BaseHandler

    class Echo(BaseHandler):
        def echo(self, value: Any) -> Any:
            return value

    with Echo("echo") as handler:
        print(handler.address, flush=True)
        until_parent_leaves()


async def burst(call: Callable[[int], Awaitable[Any]], in_flight: int) -> tuple[float, float]:
    """Calls a second, and microseconds of this process's processors a call."""
    numbers = iter(range(CALLS))

    async def caller() -> None:
        for number in numbers:
            if await call(number) != number:
                raise AssertionError("the answer belongs to another call")

    await call(0)
    begin, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    return CALLS / seconds, cpu / CALLS * 1e6


def with_threads(address: str, in_flight: int, context: zmq.Context[zmq.Socket[bytes]]) -> tuple[float, float]:
    """As the executor does it."""
    from schedule_zero.call_threads import CallThreads
    from schedule_zero.client_pool import ClientPool

    pool, threads = ClientPool("echo", address, lambda: context, size=POOL), CallThreads("echo", POOL)

    def ask(number: int) -> Any:
        with pool.borrow(30.0) as client:
            return client.call("echo", {"value": number})

    try:
        return asyncio.run(burst(lambda number: threads.run(lambda: ask(number)), in_flight))
    finally:
        threads.close()
        pool.close(interrupt=True)


def with_dealer(address: str, in_flight: int) -> tuple[float, float]:
    """As `AsyncZMQClient` does it."""
    from schedule_zero.async_zmq_client import AsyncZMQClient

    async def run() -> tuple[float, float]:
        async with AsyncZMQClient(address) as client:
            return await burst(lambda number: client.call("echo", {"value": number}), in_flight)

    return asyncio.run(run())


def noting(way: Callable[[], tuple[float, float]], cpu: list[float]) -> Callable[[], float]:
    """A way to call that gives its rate, and notes its processor time in `cpu`."""

    def measured() -> float:
        rate, used = way()
        cpu.append(used)
        return rate

    return measured


def main() -> int:
    """Measure and print; there is no target to miss."""
    with served(Path(__file__), "handler") as address, zmq.Context() as context:
        for in_flight in (1, 16, 100):
            cpu: dict[str, list[float]] = {THREADS: [], DEALER: []}
            ways = {
                THREADS: noting(partial(with_threads, address, in_flight, context), cpu[THREADS]),
                DEALER: noting(partial(with_dealer, address, in_flight), cpu[DEALER]),
            }
            show(f"{in_flight} in flight to one handler", "/s", interleaved(ways, ROUNDS), [])
            for name, values in cpu.items():
                print(f"  {name:<20} {statistics.median(values):>6.0f} us of processor a call")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", choices=["handler"], help=argparse.SUPPRESS)
    if parser.parse_args().serve is None:
        raise SystemExit(main())
    serve_handler()
