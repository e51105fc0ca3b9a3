"""Handlers over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import zmq

from schedule_zero import barriers
from schedule_zero.errors import (
    CallTimeout,
    ConfigError,
    HandlerUnavailable,
    PortTaken,
    RemoteError,
)
from schedule_zero.zmq_client import ZMQClient
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.zmq


class Worker(BaseHandler):
    """Methods of every kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs: list[Any] = []
        self.gate = threading.Event()
        self.loops: list[int] = []

    def add(self, a: int, b: int = 0) -> int:
        """A plain method."""
        self.runs.append((a, b))
        return a + b

    async def add_later(self, a: int, b: int) -> int:
        """A coroutine."""
        self.loops.append(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return a + b

    async def sleep_for_ever(self) -> None:
        """A coroutine that has to be cancelled."""
        await asyncio.Event().wait()

    def wait_for_gate(self, n: int = 0) -> int:
        """A method that runs until the test lets it go."""
        self.runs.append(n)
        self.gate.wait(30.0)
        return n

    def fail(self) -> None:
        """A method that raises."""
        raise ValueError("no such luck")

    def leave(self) -> None:
        """A method that tries to end the process."""
        raise SystemExit(3)

    def unspeakable(self) -> object:
        """A method whose result is no JSON."""
        return object()

    @staticmethod
    def constant() -> int:
        """A static method."""
        return 7

    def _private(self) -> None:
        raise AssertionError("a private method was called")

    @property
    def secret(self) -> None:
        """No method."""
        raise AssertionError("a property was read")


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A running handler that registers nowhere."""
    handler = Worker("w")
    handler.start()
    yield handler
    handler.gate.set()
    handler.stop(2.0)


@pytest.fixture
def client(worker: Worker) -> Iterator[ZMQClient]:
    """A client of that handler."""
    with ZMQClient(worker.address, timeout=10_000) as made:
        yield made


@pytest.fixture
def dealer(worker: Worker) -> Iterator[zmq.Socket[bytes]]:
    """A bare DEALER at that handler, for frames that no client of ours would send."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    socket.connect(worker.address)
    yield socket
    socket.close(linger=0)
    context.term()


# --- calling
# ------------------------------------------------------------------------------------------------------


def test_public_methods_only(worker: Worker) -> None:
    """What can be called is what the subclass defines in public; neither lifecycle, properties nor private
    methods.
    """
    assert worker.methods == [
        "add",
        "add_later",
        "constant",
        "fail",
        "leave",
        "sleep_for_ever",
        "unspeakable",
        "wait_for_gate",
    ]


@pytest.mark.parametrize("name", ["stop", "start", "_private", "secret", "__init__", "port", "runs"])
def test_what_is_not_public_cannot_be_called(client: ZMQClient, name: str) -> None:
    """Lifecycle, private names, properties and attributes are unknown methods to a caller."""
    with pytest.raises(RemoteError, match="has no method") as caught:
        client.call(name)
    assert caught.value.code == "unknown_method"


def test_plain_static_and_async_methods(client: ZMQClient, worker: Worker) -> None:
    """All kinds of methods answer, and all coroutines run in one and the same loop."""
    assert client.call("add", {"a": 1}) == 1
    assert client.call("constant") == 7
    assert [client.call("add_later", {"a": n, "b": 1}) for n in range(3)] == [1, 2, 3]
    assert len(set(worker.loops)) == 1


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("add", {}, "bad_params", "missing a required argument: 'a'"),
        ("add", {"a": 1, "c": 2}, "bad_params", "unexpected keyword argument 'c'"),
        ("fail", {}, "call_failed", "ValueError: no such luck"),
        ("leave", {}, "call_failed", "SystemExit: 3"),
        ("unspeakable", {}, "bad_result", "unspeakable ran, but its reply cannot be written as JSON"),
    ],
)
def test_calls_that_end_in_an_error(
    client: ZMQClient, method: str, params: dict[str, Any], code: str, message: str
) -> None:
    """Each way to fail has its code, and the handler goes on answering."""
    with pytest.raises(RemoteError, match=message) as caught:
        client.call(method, params)
    assert caught.value.code == code
    assert client.call("add", {"a": 2}) == 2


def test_ping_while_all_workers_are_busy(client: ZMQClient, worker: Worker, until: Any) -> None:
    """A handler whose every thread is in a call still answers a ping."""
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call_alone, worker.address, "wait_for_gate", {"n": n}) for n in range(6)]
        until(lambda: len(worker.runs) == 4, what="four running calls")

        reply = client.call_raw("ping", timeout=2000)

        assert (reply.success, reply.extra["message"], reply.extra["handler_id"]) == (True, "pong", "w")
        assert len(worker.runs) == 4  # the default concurrency
        worker.gate.set()
        assert sorted(call.result(10.0) for call in calls) == [0, 1, 2, 3, 4, 5]


def call_alone(address: str, method: str, params: dict[str, Any], **options: Any) -> Any:
    """A call by a client of its own, hence on a connection of its own."""
    with ZMQClient(address, timeout=20_000) as made:
        return made.call(method, params, **options)


# --- never twice
# --------------------------------------------------------------------------------------------------


def test_repeated_request_is_answered_from_memory(client: ZMQClient, worker: Worker) -> None:
    """The same request id is run once, also when it comes again on another connection."""
    first = client.call("add", {"a": 1, "b": 2}, request_id="r-1")
    again = client.call("add", {"a": 1, "b": 2}, request_id="r-1")
    elsewhere = call_alone(worker.address, "add", {"a": 1, "b": 2}, request_id="r-1")

    assert [first, again, elsewhere] == [3, 3, 3]
    assert worker.runs == [(1, 2)]
    assert worker.stats.replayed == 2


def test_repeated_request_joins_the_running_call(client: ZMQClient, worker: Worker, until: Any) -> None:
    """A retry after a time-out, while the first try still runs, gets that run's answer."""
    with pytest.raises(CallTimeout):
        client.call("wait_for_gate", {"n": 5}, request_id="r-1", timeout=150)
    with ThreadPoolExecutor(1) as pool:
        retry = pool.submit(client.call, "wait_for_gate", {"n": 5}, request_id="r-1")
        until(lambda: worker.stats.joined == 1, what="the retry to join")
        worker.gate.set()

        assert retry.result(10.0) == 5
    assert worker.runs == [5]


def test_failures_are_remembered_too(client: ZMQClient, worker: Worker) -> None:
    """A call that failed has run: a repetition gets the same error and does not run."""
    for _ in range(2):
        with pytest.raises(RemoteError, match="no such luck"):
            client.call("fail", request_id="r-1")
    assert worker.stats.started == 1


def test_request_id_of_another_method(client: ZMQClient) -> None:
    """An id that was used for another method is refused, instead of answered with the wrong result."""
    client.call("add", {"a": 1}, request_id="r-1")
    with pytest.raises(RemoteError) as caught:
        client.call("constant", request_id="r-1")
    assert caught.value.code == "request_id_reused"


# --- malformed
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([b"", b"not json"], "not a request"),
        ([b"", b'{"method": 5, "request_id": "r-1"}'], "Expected `str`"),
        ([b"", b"{}", b"{}"], "expected one frame after the delimiter"),
        ([b"", b""], "not a request"),
        ([b'{"method": "constant"}'], "no empty delimiter frame"),
    ],
    ids=["not-json", "wrong-type", "two-frames", "empty", "no-delimiter"],
)
def test_malformed_request_gets_an_error(
    dealer: zmq.Socket[bytes], client: ZMQClient, worker: Worker, frames: list[bytes], error: str
) -> None:
    """Frames that are no request get an error reply, are counted, and the handler goes on."""
    dealer.send_multipart(frames)
    reply = json.loads(dealer.recv_multipart()[-1])

    assert reply["success"] is False
    assert reply["code"] == "malformed"
    assert error in reply["error"]
    assert worker.stats.malformed == 1
    assert client.call("add", {"a": 1}) == 1


def test_oversize_request_hurts_only_its_sender(
    dealer: zmq.Socket[bytes], client: ZMQClient, worker: Worker
) -> None:
    """A frame above the limit costs its sender the connection; others are served."""
    dealer.send_multipart([b"", b" " * (8 * 1024 * 1024 + 1)])
    assert client.call("add", {"a": 1}) == 1
    dealer.setsockopt(zmq.RCVTIMEO, 200)
    with pytest.raises(zmq.Again):
        dealer.recv_multipart()
    assert worker.stats.requests == 1


def test_listener_that_raises_costs_no_worker(client: ZMQClient) -> None:
    """A call that is struck at a barrier is answered with an error, and the worker lives."""

    def strike(**_: Any) -> None:
        raise MemoryError("struck")

    end = barriers.listen("handler.before_call", strike)
    for _ in range(6):
        with pytest.raises(RemoteError, match="add broke off: MemoryError: struck"):
            client.call("add", {"a": 1})
    end()
    assert client.call("add", {"a": 1}) == 1


@pytest.mark.parametrize(("method", "ok"), [("add", True), ("fail", False), ("unspeakable", False)])
def test_the_barrier_after_a_call_tells_how_it_went(client: ZMQClient, method: str, ok: bool) -> None:
    """Whoever listens after a call learns whether the reply says success."""
    seen: list[dict[str, Any]] = []
    end = barriers.listen("handler.after_call", lambda **context: seen.append(context))
    client.call_raw(method, {"a": 1} if method == "add" else {}, request_id="r-1")
    client.call_raw(method, request_id="r-2")  # without its parameter add cannot be called
    end()
    assert [(call["request_id"], call["ok"]) for call in seen] == [("r-1", ok), ("r-2", False)]
    assert {tuple(sorted(call)) for call in seen} == {tuple(sorted(barriers.BARRIERS["handler.after_call"]))}


# --- stopping
# -----------------------------------------------------------------------------------------------------


def test_stop_drains_running_calls(worker: Worker, until: Any) -> None:
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


def test_stop_is_bounded_when_a_method_hangs(worker: Worker, until: Any) -> None:
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


def test_stop_cancels_a_coroutine_that_never_ends(worker: Worker, client: ZMQClient) -> None:
    """A coroutine can be ended, unlike a thread: nothing is left."""
    with pytest.raises(CallTimeout):
        client.call("sleep_for_ever", timeout=150)
    assert worker.stop(0.2) is True
    assert threads_of("w") == []


def test_start_and_stop_leave_nothing() -> None:
    """Twenty lives of a handler leave no descriptor and no thread; a stopped handler can start again."""
    process = psutil.Process(os.getpid())
    handler = Worker("w")

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

    def send(self, data: Any, flags: int = 0, copy: bool = True, track: bool = False, **options: Any) -> Any:
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
        made.append(super().socket(*args, socket_class=Grudging, **options))
        return made[-1]


def test_a_refused_wake_up_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the socket's thread ends by itself while stop wakes it, nothing is left that holds the context."""
    context = Remembering()
    monkeypatch.setattr(zmq, "Context", lambda: context)
    handler = Worker("w")
    handler.start()
    assert call_alone_in(context, handler.address, "add", {"a": 1}) == 1

    finished = handler.stop(2.0)

    assert [socket for socket in context.__dict__["made"] if not socket.closed] == []
    assert (finished, context.closed) == (True, True)


def call_alone_in(context: zmq.Context[Any], address: str, method: str, params: dict[str, Any]) -> Any:
    """A call by a client that shares a context."""
    client = ZMQClient(address, timeout=10_000, context=context)
    try:
        return client.call(method, params)
    finally:
        client.terminate()


def test_a_socket_left_open_by_a_method_does_not_hang_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that cannot end is told by the answer of stop, in bounded time."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    monkeypatch.setattr(zmq, "Context", lambda: context)
    handler = Worker("w")
    handler.start()
    forgotten = context.socket(zmq.REQ)
    began = time.monotonic()

    finished = handler.stop(1.0)

    assert finished is False
    assert 1.5 < time.monotonic() - began < 6.0
    forgotten.close(linger=0)


def test_stop_and_start_are_idempotent(worker: Worker) -> None:
    """Starting twice keeps the port; stopping twice says yes; stopping what never ran says yes."""
    port = worker.port
    worker.start()
    assert worker.port == port
    assert worker.stop() is True
    assert worker.stop() is True
    assert Worker("never").stop() is True


def test_run_returns_after_stop(until: Any) -> None:
    """run() blocks until another thread calls stop()."""
    handler = Worker("w")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(handler.run)
        until(lambda: handler.is_running, what="the handler to run")
        handler.stop()
        assert running.result(10.0) is None


def test_port_taken(worker: Worker) -> None:
    """A port that is in use is a PortTaken that names it, and leaves nothing running."""
    other = Worker("other", worker.port)
    with pytest.raises(PortTaken, match=str(worker.port)):
        other.start()
    assert other.is_running is False


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"handler_id": ""}, "1 to 200 characters"),
        ({"handler_id": "h", "port": 70_000}, "0..65535"),
        ({"handler_id": "h", "concurrency": 0}, "at least 1"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], complaint: str) -> None:
    """A handler that could never work is refused when it is made."""
    with pytest.raises(ConfigError, match=complaint):
        Worker(**arguments)


def test_address_that_is_not_of_this_machine() -> None:
    """An address that cannot be bound here is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot listen on tcp://192\.0\.2\.1"):
        Worker("h", 0, None, "192.0.2.1").start()


def test_many_callers(worker: Worker) -> None:
    """Forty callers at once, each on a connection of its own, get their own answers."""
    ask: Callable[[int], Any] = lambda n: call_alone(worker.address, "add", {"a": n, "b": 1})  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == list(range(1, 41))
