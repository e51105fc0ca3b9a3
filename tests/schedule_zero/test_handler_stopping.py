"""Handlers that stop: what runs is finished, what hangs is given up, nothing is left."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import zmq

from schedule_zero.errors import CallTimeout, HandlerUnavailable
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


def test_stop_drains_running_calls(worker: Any, until: Any, call_alone: Any) -> None:
    """A call that runs when stop begins is finished and answered; one that comes later is told to go
    elsewhere.
    """
    with ThreadPoolExecutor(2) as pool, ZMQClient(worker.address, timeout=10_000) as late:
        running = pool.submit(call_alone, worker.address, "wait_for_gate", {"n": 1})
        until(lambda: worker.runs == [1], what="the call to run")
        assert late.ping()
        stopping = pool.submit(worker.stop, 10.0)
        until(lambda: late.call_raw("ping").extra["stopping"], what="the handler to be stopping")

        with pytest.raises(HandlerUnavailable, match="is stopping"):
            late.call("add", {"a": 1})
        worker.gate.set()

        assert running.result(10.0) == 1
        assert stopping.result(10.0) is True


def test_stop_is_bounded_when_a_method_hangs(worker: Any, until: Any, call_alone: Any) -> None:
    """Stop gives up on hanging calls at its time-out and turns the waiting one away; their threads go later."""
    with ThreadPoolExecutor(5) as pool:
        ask = {"timeout": 2000}
        calls = [pool.submit(call_alone, worker.address, "wait_for_gate", {"n": n}, **ask) for n in range(5)]
        until(lambda: len(worker.runs) == 4 and worker.stats.started == 5, what="four running, one waiting")
        began = time.monotonic()
        finished = worker.stop(0.3)
        took = time.monotonic() - began
        outcomes = sorted(type(call.exception(10.0)).__name__ for call in calls)

    assert finished is False
    assert took < 3.0
    assert outcomes == ["CallTimeout", "CallTimeout", "CallTimeout", "CallTimeout", "HandlerUnavailable"]
    worker.gate.set()
    until(lambda: not threads_of("w"), what="the threads to end")


def threads_of(handler_id: str) -> list[str]:
    """The names of the threads that a handler has."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"{handler_id}-")]


def test_stop_cancels_a_coroutine_that_never_ends(worker: Any, client: Any) -> None:
    """A coroutine can be ended, unlike a thread: nothing is left."""
    with pytest.raises(CallTimeout):
        client.call("sleep_for_ever", timeout=150)
    assert worker.stop(0.2) is True
    assert threads_of("w") == []


def test_start_and_stop_leave_nothing(worker_class: Any, call_alone: Any) -> None:
    """Twenty lives of a handler leave no descriptor and no thread; a stopped handler can start again."""
    process = psutil.Process(os.getpid())
    handler = worker_class("w")

    def live() -> None:
        handler.start()
        assert call_alone(handler.address, "add", {"a": 1}) == 1
        assert handler.stop() is True

    live()
    descriptors, threads = process.num_fds(), threading.active_count()
    incarnation = handler.incarnation
    for _ in range(20):
        live()

    assert process.num_fds() <= descriptors
    assert threading.active_count() == threads
    assert handler.incarnation != incarnation
    assert handler.is_running is False


class Grudging(zmq.Socket[bytes]):
    """Refuses the empty message that wakes a handler's socket, as libzmq does when that has just gone."""

    def send(  # type: ignore[override]
        self, data: Any, flags: int = 0, copy: bool = True, track: bool = False, **options: Any
    ) -> Any:
        """Send; the wake-up call is refused although its receiver wakes, as it would by itself."""
        sent = super().send(data, flags, copy, track, **options)
        if data == b"" and self.type == zmq.PUSH:
            raise zmq.Again
        return sent


class Remembering(zmq.Context[zmq.Socket[bytes]]):
    """Keeps every socket it made, so that the garbage collector closes none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["made"] = []

    def socket(self, *args: Any, **options: Any) -> zmq.Socket[bytes]:
        """Make a `Grudging` socket."""
        made: list[zmq.Socket[bytes]] = self.__dict__["made"]
        made.append(super().socket(*args, **{**options, "socket_class": Grudging}))
        return made[-1]


def test_a_refused_wake_up_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch, worker_class: Any) -> None:
    """When the socket's thread ends by itself while stop wakes it, nothing is left that holds the context."""
    context = Remembering()
    monkeypatch.setattr(zmq, "Context", lambda: context)
    handler = worker_class("w")
    handler.start()
    assert call_in(context, handler.address, "add", {"a": 1}) == 1

    finished = handler.stop(2.0)

    assert [socket for socket in context.__dict__["made"] if not socket.closed] == []
    assert (finished, context.closed) == (True, True)


def call_in(context: zmq.Context[Any], address: str, method: str, params: dict[str, Any]) -> Any:
    """A call by a client that shares a context."""
    client = ZMQClient(address, timeout=10_000, context=context)
    try:
        return client.call(method, params)
    finally:
        client.terminate()


def test_a_socket_left_open_by_a_method_does_not_hang_stop(
    monkeypatch: pytest.MonkeyPatch, worker_class: Any
) -> None:
    """A context that cannot end is told by the answer of stop, in bounded time."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    monkeypatch.setattr(zmq, "Context", lambda: context)
    handler = worker_class("w")
    handler.start()
    forgotten = context.socket(zmq.REQ)
    began = time.monotonic()

    finished = handler.stop(1.0)

    assert finished is False
    assert 1.5 < time.monotonic() - began < 6.0
    forgotten.close(linger=0)


def test_stop_and_start_are_idempotent(worker: Any, worker_class: Any) -> None:
    """Starting twice keeps the port; stopping twice says yes; stopping what never ran says yes."""
    port = worker.port
    worker.start()
    assert worker.port == port
    assert worker.stop() is True
    assert worker.stop() is True
    assert worker_class("never").stop() is True


def test_run_returns_after_stop(until: Any, worker_class: Any) -> None:
    """run() blocks until another thread calls stop()."""
    handler = worker_class("w")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(handler.run)
        until(lambda: handler.is_running, what="the handler to run")
        handler.stop()
        assert running.result(10.0) is None
