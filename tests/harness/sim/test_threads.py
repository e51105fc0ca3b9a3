"""The standard library's threads become simulated ones."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import cached_property

import pytest

from harness.sim.kernel import Kernel, us
from harness.sim.threads import process_main, shut_down

Opened = Callable[..., AbstractContextManager[Kernel]]


def nap(kernel: Kernel, seconds: float) -> None:
    """Sleep in virtual seconds: `time.sleep` is another part's affair."""
    kernel.sleep(us(seconds))


def test_a_program_of_threads_runs_in_virtual_time(kernel: Kernel) -> None:
    """Threads, lock, bounded queue, event with time-out and an executor give exact virtual times, in no real time."""
    began = time.perf_counter()
    lock, items, event = threading.Lock(), queue.Queue[tuple[int, int]](2), threading.Event()

    def worker(number: int) -> None:
        for step in range(3):
            with lock:
                nap(kernel, 100)
            items.put((number, step))
        if number == 0:
            event.set()

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    assert event.wait(250.5) is False
    assert kernel.now == 250_500_000
    got = [items.get(timeout=1000) for _ in range(6)]
    assert sorted(got) == [(number, step) for number in range(2) for step in range(3)]
    for thread in threads:
        thread.join()
    assert event.wait() is True
    assert kernel.now == 600_000_000
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(nap, kernel, seconds) for seconds in (3, 1, 2, 1)]
        done, waiting = wait(futures, timeout=1.5)
        assert (len(done), len(waiting)) == (1, 3)
    assert kernel.now == 603_000_000
    assert time.perf_counter() - began < 5


def test_threads_are_joined_in_time(kernel: Kernel) -> None:
    """`join` with a time-out gives up exactly then; all who join go on at the end; `is_alive` says which it is."""
    thread = threading.Thread(target=nap, args=(kernel, 5))
    with pytest.raises(RuntimeError):
        thread.join()
    thread.start()
    assert thread.is_alive()
    thread.join(2)
    assert (thread.is_alive(), kernel.now) == (True, 2_000_000)
    ended: list[int] = []
    others = [threading.Thread(target=lambda: [thread.join(), ended.append(kernel.now)]) for _ in range(3)]  # type: ignore[func-returns-value]
    for other in others:
        other.start()
    thread.join()
    for other in others:
        other.join(-1 if not other.is_alive() else None)
    assert ended == [5_000_000] * 3
    assert not thread.is_alive()
    assert "stopped" in repr(thread)
    with pytest.raises(RuntimeError):
        thread.start()


def test_a_thread_knows_itself(kernel: Kernel) -> None:
    """`current_thread`, `is_alive`, thread-locals and identifiers are those of the thread that runs."""
    local = threading.local()
    seen: list[tuple[bool, bool, bool]] = []

    def program() -> None:
        me = threading.current_thread()
        local.value = me
        kernel.sleep(10)
        seen.append((me is local.value, me.is_alive(), me.ident == threading.get_ident()))

    threads = [threading.Thread(target=program) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(True, True, True)] * 3


def test_names_start_anew_in_each_world(opened: Opened) -> None:
    """Threads and executors are numbered from the start in every world, and after it as before it."""
    names = []
    for _ in range(2):
        with opened():
            thread = threading.Thread(target=test_names_start_anew_in_each_world)
            names.append(thread.name)
            with ThreadPoolExecutor() as pool:
                names.append(pool.submit(lambda: threading.current_thread().name).result())
    expected = ["Thread-1 (test_names_start_anew_in_each_world)", "ThreadPoolExecutor-0_0"]
    assert names == expected * 2


def test_a_thread_made_before_the_world_can_start_in_it(opened: Opened) -> None:
    """A Thread object that was made outside starts and is joined inside, in virtual time."""
    ran: list[int] = []
    kernels: list[Kernel] = []
    thread = threading.Thread(target=lambda: [nap(kernels[0], 3), ran.append(kernels[0].now)])  # type: ignore[func-returns-value]
    with opened() as kernel:
        kernels.append(kernel)
        thread.start()
        thread.join()
        assert ran == [3_000_000]
        assert not thread.is_alive()


def test_each_process_sees_its_own_threads(kernel: Kernel) -> None:
    """`enumerate`, `active_count`, `main_thread` and thread names are those of the calling process."""
    process = kernel.new_process("child")
    seen: list[object] = []

    def program() -> None:
        thread = threading.Thread(target=nap, args=(kernel, 1))
        thread.start()
        seen.extend(
            [
                [t.name for t in threading.enumerate()],
                threading.active_count(),
                threading.current_thread() is threading.main_thread(),
                threading.current_thread().name,
            ]
        )
        shut_down()

    here = threading.main_thread()
    kernel.spawn(process, "MainThread", process_main(program))
    process.exited.wait()
    assert seen == [["MainThread", "Thread-1 (nap)"], 2, True, "MainThread"]
    assert kernel.now == 1_000_000
    assert threading.main_thread() is here
    assert [t for t in threading.enumerate() if t.name == "Thread-1 (nap)"] == []


def test_the_main_thread_is_one_of_the_threads(kernel: Kernel) -> None:
    """Whoever waits until no other thread is left counts the main thread, as in reality."""
    assert threading.enumerate() == [threading.main_thread()]
    thread = threading.Thread(target=nap, args=(kernel, 1))
    thread.start()
    assert threading.enumerate() == [threading.main_thread(), thread]
    while threading.active_count() > 1:
        nap(kernel, 0.3)
    assert kernel.now == 1_200_000


def test_a_process_that_ends_waits_for_its_threads(kernel: Kernel) -> None:
    """`shut_down` ends executors and joins what is no daemon, as CPython does; daemons die with the process."""
    process = kernel.new_process("child")
    done: list[str] = []

    def work(name: str, seconds: float) -> None:
        nap(kernel, seconds)
        done.append(name)

    def program() -> None:
        pool = ThreadPoolExecutor(1)
        pool.submit(work, "pool", 4)
        threading.Thread(target=work, args=("daemon", 6), daemon=True).start()
        threading.Thread(target=work, args=("thread", 5)).start()
        shut_down()

    kernel.spawn(process, "MainThread", process_main(program))
    process.exited.wait()
    assert (done, kernel.now) == (["pool", "thread"], 5_000_000)
    kernel.sleep(10_000_000)
    assert done == ["pool", "thread"]


def test_an_executor_of_one_process_leaves_the_others_alone(kernel: Kernel) -> None:
    """When a process shuts down, executors of other processes still take work."""
    process = kernel.new_process("child")
    kernel.spawn(process, "MainThread", process_main(shut_down))
    process.exited.wait()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: 7).result() == 7


def test_an_uncaught_error_is_printed_as_ever(kernel: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    """A `threading.Thread` that ends with an error says so through `threading.excepthook`; the world goes on."""
    said: list[str] = []

    def broken() -> None:
        raise LookupError("no such job")

    before = threading.excepthook
    threading.excepthook = lambda args: said.append(str(args.exc_value))
    try:
        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
    finally:
        threading.excepthook = before
    assert said == ["no such job"]
    assert kernel.failure is None


def test_logging_waits_in_virtual_time(opened: Opened) -> None:
    """A handler made before the world that waits while it writes holds nobody up for real."""
    kernels: list[Kernel] = []
    lines: list[str] = []

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            nap(kernels[0], 1)
            lines.append(record.getMessage())

    handler = Slow()
    logger = logging.Logger("slow")
    logger.addHandler(handler)
    with opened() as kernel:
        kernels.append(kernel)
        threads = [threading.Thread(target=logger.warning, args=("line",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kernel.now == 3_000_000
    assert lines == ["line"] * 3
    handler.close()


def test_the_lock_of_logging_is_waited_for_in_virtual_time(kernel: Kernel) -> None:
    """Making loggers holds a lock of module `logging`; two threads whose loggers take a second each wait in turn."""

    class SlowLogger(logging.Logger):
        def __init__(self, name: str) -> None:
            nap(kernel, 1)
            super().__init__(name)

    manager = logging.Manager(logging.RootLogger(logging.WARNING))
    manager.setLoggerClass(SlowLogger)
    threads = [threading.Thread(target=manager.getLogger, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kernel.now == 2_000_000


def test_executors_of_many_threads_begin_at_once(opened: Opened) -> None:
    """Starting an executor's thread holds a lock of all executors; under any schedule nobody waits for it for real."""
    for seed in range(10):
        with opened(seed):
            results: list[int] = []

            def submit(number: int, results: list[int] = results) -> None:
                with ThreadPoolExecutor(2) as pool:
                    results.append(pool.submit(int, number).result())

            threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(results) == [0, 1, 2, 3]


def test_real_threads_beside_a_world_are_real(opened: Opened) -> None:
    """A thread outside the world starts and joins further real threads while the world is open."""
    seen: list[object] = []
    begin, done = threading.Event(), threading.Lock()
    done.acquire()

    def outside() -> None:
        begin.wait(10)
        inner = threading.Thread(target=seen.append, args=("ran",))
        inner.start()
        inner.join(10)
        seen.append(inner.is_alive())
        done.release()

    thread = threading.Thread(target=outside)
    thread.start()
    with opened():
        begin.set()
        assert done.acquire(timeout=10)
    thread.join(10)
    assert seen == ["ran", False]


def test_everything_is_put_back(opened: Opened) -> None:
    """After a world `threading`, `queue` and the executors hold what they held."""

    def held() -> list[object]:
        names = [(threading, name) for name in dir(threading)] + [(queue, name) for name in dir(queue)]
        return [getattr(*name) for name in names] + [vars(ThreadPoolExecutor)["_counter"], threading.enumerate()]

    before = held()
    with opened() as kernel:
        for _ in range(3):
            threading.Thread(target=nap, args=(kernel, 99)).start()
        process = kernel.new_process("child")
        kernel.spawn(process, "MainThread", process_main(lambda: nap(kernel, 5)))
        kernel.sleep(1)
    assert held() == before


def test_a_cached_property_may_wait(kernel: Kernel) -> None:
    """Two objects of one class compute their cached property side by side, also where Python holds a lock meanwhile."""

    class Slow:
        @cached_property
        def answer(self) -> int:
            nap(kernel, 1)
            return kernel.now

    first, second = Slow(), Slow()
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(lambda one=one: one.answer) for one in (first, second)]  # type: ignore[misc]
        assert [future.result() for future in futures] == [1_000_000, 1_000_000]
    assert first.answer == 1_000_000
    assert Slow.answer.func.__name__ == "answer"  # type: ignore[attr-defined]
