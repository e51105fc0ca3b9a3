"""Questions of every kind: whoever asks one over and over is let wait until the answer is another one."""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import psutil
import pytest
import zmq

from harness.sim import World

LATER = 0.3
"""Seconds after which the answer changes."""
START_UP = 0.25
"""Seconds that the start of a simulated process takes at most."""


def _after(callback: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(LATER, callback)
    timer.start()
    return timer


@contextlib.contextmanager
def _child() -> Iterator[psutil.Process]:
    """A process that ends after `LATER` seconds, and is waited for by another thread, so that it is gone then."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LATER})"])
    thread = threading.Thread(target=child.wait)
    thread.start()
    yield psutil.Process(child.pid)
    thread.join()


def _psutil_wait() -> None:
    with _child() as child:
        while True:
            with contextlib.suppress(psutil.TimeoutExpired):
                child.wait(0)
                break


def _psutil_children() -> None:
    with _child() as child:
        while child in psutil.Process().children():
            pass


def _psutil_parent() -> None:
    with _child() as child, contextlib.suppress(psutil.NoSuchProcess):
        while child.ppid() == os.getpid():
            pass


def _psutil_pids() -> None:
    with _child() as child:
        while child.pid in psutil.pids():
            pass


def _psutil_iter() -> None:
    with _child() as child:
        while child in psutil.process_iter():
            pass


def _psutil_process() -> None:
    with _child() as child, contextlib.suppress(psutil.NoSuchProcess):
        while True:
            psutil.Process(child.pid)


def _psutil_connections() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    _after(server.close)
    while any(one.status == psutil.CONN_LISTEN for one in psutil.Process().net_connections()):
        pass


def _zmq_events() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
        push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
        _after(lambda: push.send(b"x"))
        while not int(pull.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            pass


def _zmq_bind() -> None:
    _zmq_bind_to("tcp://127.0.0.1:*")


def _zmq_bind_inproc() -> None:
    _zmq_bind_to("inproc://name")


def _zmq_bind_to(address: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as first, context.socket(zmq.REP) as second:
        first.bind(address)
        taken = str(first.getsockopt_string(zmq.LAST_ENDPOINT))
        timer = _after(lambda: first.unbind(taken))
        while True:
            with contextlib.suppress(zmq.ZMQError):
                second.bind(taken)
                break
        timer.join()


def _bind() -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        address = first.getsockname()
        _after(first.close)
        while True:
            with contextlib.suppress(OSError):
                second.bind(address)
                break


def _cancelled() -> None:
    future: Future[int] = Future()
    _after(future.cancel)
    while not future.cancelled():
        pass


def _items_come() -> None:
    items = queue.SimpleQueue[int]()
    _after(lambda: items.put(1))
    while not items.qsize():
        pass


def _simple_queue_is_emptied() -> None:
    items = queue.SimpleQueue[int]()
    items.put(1)
    _after(items.get)
    while not items.empty():
        pass


def _queue_is_emptied() -> None:
    items = queue.Queue[int]()
    items.put(1)
    _after(items.get)
    while not items.empty():
        pass


def _enough_items_come() -> None:
    items = queue.Queue[int]()
    items.put(1)
    _after(lambda: items.put(2))
    while items.qsize() < 2:
        pass


def _barrier() -> None:
    barrier = threading.Barrier(2)
    _after(barrier.wait)
    threading.Thread(target=barrier.wait).start()
    while barrier.n_waiting < 1:
        pass
    while barrier.n_waiting:
        pass


def _barrier_breaks() -> None:
    barrier = threading.Barrier(2)
    _after(barrier.abort)
    while not barrier.broken:
        pass


def _sigpending() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        me = threading.get_ident()
        timer = _after(lambda: signal.pthread_kill(me, signal.SIGUSR1))
        while signal.SIGUSR1 not in signal.sigpending():
            pass
        timer.join()
        signal.sigwait([signal.SIGUSR1])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _os_times() -> None:
    end = os.times().elapsed + LATER
    while os.times().elapsed < end:
        pass


def _os_times_of_work() -> None:
    end = sum(os.times()[:2]) + LATER
    while sum(os.times()[:2]) < end:
        pass


def _getrusage() -> None:
    end = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) + LATER
    while sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) < end:
        pass


CHILDREN = [_psutil_wait, _psutil_children, _psutil_parent, _psutil_pids, _psutil_iter, _psutil_process]
QUESTIONS = [
    *CHILDREN,
    _psutil_connections,
    _zmq_events,
    _zmq_bind,
    _zmq_bind_inproc,
    _bind,
    _cancelled,
    _items_come,
    _simple_queue_is_emptied,
    _queue_is_emptied,
    _enough_items_come,
    _barrier,
    _barrier_breaks,
    _sigpending,
    _os_times,
    _os_times_of_work,
    _getrusage,
]


@pytest.mark.parametrize("ask", QUESTIONS, ids=lambda ask: ask.__name__.lstrip("_"))
@pytest.mark.parametrize("inside", [True, False], ids=["sim", "real"])
def test_a_question_is_answered_otherwise_when_it_is_in_reality(ask: Callable[[], None], inside: bool) -> None:
    """Not before the answer changes, and soon after; in a world within a tenth of a second."""
    with World(seed=1) if inside else contextlib.nullcontext():
        begun = time.monotonic()
        ask()
        took = time.monotonic() - begun

    assert took >= LATER - 0.02  # the kernel's ticks, in which it tells what processor time was used
    if inside:
        assert took < LATER + (START_UP if ask in CHILDREN else 0) + 0.1


def test_a_timer_of_the_process_runs_out() -> None:
    """Who looks how much is left of it sees it end. Only in a world: in reality the one timer limits this test."""
    with World(seed=1) as world:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, LATER)
        while signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            pass

        assert LATER <= world.elapsed < LATER + 0.1


def test_who_empties_a_queue_does_not_poll() -> None:
    """It looks before each item, and finds another number of them each time: no time passes."""
    with World() as world:
        threading.Thread(target=time.sleep, args=(1,)).start()
        for items in (queue.Queue[int](), queue.SimpleQueue[int]()):
            for number in range(5_000):
                items.put(number)
            while not items.empty():
                items.get()

        assert world.elapsed == 0
