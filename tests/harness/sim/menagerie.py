"""A program with every kind of waiting and chance in it, whose history must be one for one seed.

Run as a script it prints what `history` gives, as JSON, for the seeds in its arguments.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import json
import logging
import queue
import random
import secrets
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import anyio.from_thread
import anyio.to_thread
import tenacity

from harness.sim import World

SEEN = list[str]


def note(seen: SEEN, *what: object) -> None:
    """Keep what happened with the simulated time at which it did."""
    seen.append(f"{datetime.now(UTC).isoformat()} {' '.join(map(str, what))}")


def nap(n: int) -> int:
    """A little work for a pool."""
    time.sleep(0.1)
    return n


def threads(seen: SEEN) -> None:
    """Workers that race for a queue, a lock, a condition; a timer; a pool whose futures are kept in a set."""
    work: queue.Queue[int | None] = queue.Queue(maxsize=2)
    lock = threading.Lock()

    def consume(name: str) -> None:
        while (item := work.get()) is not None:
            with lock:
                time.sleep(0.01)
                note(seen, name, "took", item)

    consumers = [threading.Thread(target=consume, args=(f"consumer {n}",)) for n in range(3)]
    for consumer in consumers:
        consumer.start()
    for item in [*range(12), None, None, None]:
        work.put(item)
    for consumer in consumers:
        consumer.join()
    event = threading.Event()
    threading.Timer(2.5, event.set).start()
    note(seen, "event", event.wait(1), event.wait(10))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        futures = {pool.submit(nap, n) for n in range(9)}
        done = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done
        note(seen, "pool", *[future.result() for future in done])
        note(seen, "pool", *[future.result() for future in futures])


async def tasks(seen: SEEN) -> None:
    """Tasks kept in sets, by asyncio and anyio; worker threads; a portal back into the loop."""
    loop = asyncio.get_running_loop()

    async def napper(n: int) -> int:
        try:
            await asyncio.sleep(n % 3 * 0.1)
            if n > 5:
                await asyncio.sleep(100)
        except asyncio.CancelledError:
            note(seen, "cancelled", n)
            raise
        return n

    done, pending = await asyncio.wait({loop.create_task(napper(n)) for n in range(10)}, timeout=1)
    note(seen, "done", *[task.result() for task in done])
    for task in pending:
        task.cancel()
    await asyncio.wait({loop.run_in_executor(None, time.sleep, n / 10) for n in range(5)})

    def in_worker(n: int) -> int:
        time.sleep(0.05)
        anyio.from_thread.run_sync(note, seen, "portal", n)
        return n

    async def through_worker(n: int) -> None:
        note(seen, "worker", await anyio.to_thread.run_sync(in_worker, n))

    with anyio.move_on_after(30) as scope:
        async with anyio.create_task_group() as group:
            for n in range(4):
                group.start_soon(through_worker, n)
                group.start_soon(napper, 6 + n)
    note(seen, "given up", scope.cancelled_caught)


async def database(seen: SEEN, folder: Path) -> None:
    """aiosqlite's own thread."""
    async with aiosqlite.connect(folder / "animals.db") as connection:
        await connection.execute("create table animals (name text, at real)")
        await connection.executemany("insert into animals values (?, ?)", [("ape", time.time()), ("bee", time.time())])
        await connection.commit()
        async with connection.execute("select name, at from animals order by name") as cursor:
            note(seen, "rows", *[tuple(row) for row in await cursor.fetchall()])


def chance(seen: SEEN) -> None:
    """Every source of chance, and a library that draws from one of them between tries."""
    note(seen, random.random(), random.choice("abcdef"), random.Random().random())
    note(seen, uuid.uuid4(), uuid.uuid1(), secrets.token_hex(8), random.SystemRandom().randrange(1000))
    tries = iter(range(5))

    @tenacity.retry(wait=tenacity.wait_random_exponential(max=60), stop=tenacity.stop_after_attempt(4))
    def flaky() -> None:
        note(seen, "try", next(tries), round(time.monotonic(), 6))
        if next(tries) < 3:
            raise OSError

    flaky()


class Remember(logging.Handler):
    """A log handler, whose lock was made in or before the world."""

    def __init__(self, seen: SEEN) -> None:
        super().__init__()
        self.seen = seen
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.seen.append(self.format(record))


def everything(seen: SEEN, folder: Path) -> None:
    """All of it, one after the other."""
    log = logging.getLogger("menagerie")
    log.propagate = False
    handler = Remember(seen)
    log.addHandler(handler)
    try:
        log.warning("opened")
        threads(seen)
        asyncio.run(tasks(seen))
        anyio.run(database, seen, folder)
        chance(seen)
        log.warning("closed")
    finally:
        log.removeHandler(handler)


def history(seed: int, **options: Any) -> dict[str, Any]:
    """Digest of the trace, digest of what the program itself saw, number of events, virtual seconds."""
    seen: SEEN = []
    with tempfile.TemporaryDirectory() as folder, World(seed, **options) as world:
        everything(seen, Path(folder))
    text = "\n".join(seen)
    return {
        "trace": world.digest,
        "seen": hashlib.sha256(text.encode()).hexdigest()[:32],
        "events": len(world.trace),
        "elapsed": world.elapsed,
        "text": text,
    }


if __name__ == "__main__":
    json.dump([history(int(seed)) for seed in sys.argv[1:]], sys.stdout)
