"""One history on every Python."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from harness.sim.kernel import Kernel, us

Opened = Callable[..., AbstractContextManager[Kernel]]

DIGESTS = {
    1: "2d19a0818354aaddd3fb1315df7c47b6",
    2: "f9a62244b13492f500c3b609f04586d0",
    3: "3e66e5f356dc3646f93d7b08b5053825",
}
"""Of `market` by seed. They may change only when the kernel's order of things does; never by Python version."""


def market(kernel: Kernel) -> int:
    """Producers, consumers, executor, condition, semaphore, barrier, timer, joins: the standard library."""
    goods = queue.Queue[int](3)
    sold: list[int] = []
    gate = threading.Semaphore(2)
    start = threading.Barrier(4)
    changed = threading.Condition()

    def produce(number: int) -> None:
        start.wait()
        for step in range(5):
            kernel.sleep(kernel.draw("data", 0, 5, "making"))
            goods.put(10 * number + step)

    def consume() -> None:
        start.wait()
        while (item := goods.get()) >= 0:
            with gate:
                kernel.sleep(3)
            with changed:
                sold.append(item)
                changed.notify_all()

    producers = [threading.Thread(target=produce, args=(number,)) for number in range(2)]
    consumers = [threading.Thread(target=consume, daemon=True) for _ in range(2)]
    for thread in producers + consumers:
        thread.start()
    timer = threading.Timer(0.000004, lambda: goods.put(99))
    timer.start()
    with changed:
        assert changed.wait_for(lambda: len(sold) >= 5, timeout=60)
    pool = ThreadPoolExecutor(3)
    futures = [pool.submit(kernel.sleep, us(seconds)) for seconds in (0.3, 0.1, 0.2, 0.1, 0)]
    for future in futures:
        future.add_done_callback(lambda future: kernel.record("done", futures.index(future)))
        future.result(1)
    # Without waiting: the pool keeps its threads in a set, whose order is another part's affair.
    pool.shutdown(wait=False)
    for thread in [*producers, timer]:
        thread.join()
    for _ in consumers:
        goods.put(-1)
    joiners = [threading.Thread(target=consumers[0].join) for _ in range(3)]
    for thread in joiners:
        thread.start()
    for thread in [*consumers, *joiners]:
        thread.join(5)
        assert not thread.is_alive()
    return len(sold)


def test_the_history_is_the_same_on_every_python(opened: Opened) -> None:
    """The digests of three seeds are literal: any supported Python, hash seed, machine and test order gives them."""
    found = {}
    for seed in DIGESTS:
        with opened(seed) as kernel:
            assert market(kernel) == 11
        found[seed] = kernel.trace.digest
    assert found == DIGESTS
