"""Handlers over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq

from schedule_zero import barriers, handler_socket
from schedule_zero.errors import (
    CallTimeout,
    ConfigError,
    PortTaken,
    RemoteError,
)
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


@pytest.fixture
def dealer(worker: Any) -> Iterator[zmq.Socket[bytes]]:
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


def test_public_methods_only(worker: Any) -> None:
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


def test_plain_static_and_async_methods(client: ZMQClient, worker: Any) -> None:
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


def test_ping_while_all_workers_are_busy(client: ZMQClient, worker: Any, until: Any, call_alone: Any) -> None:
    """A handler whose every thread is in a call still answers a ping."""
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call_alone, worker.address, "wait_for_gate", {"n": n}) for n in range(6)]
        until(lambda: len(worker.runs) == 4, what="four running calls")

        reply = client.call_raw("ping", timeout=2000)

        assert (reply.success, reply.extra["message"], reply.extra["handler_id"]) == (True, "pong", "w")
        assert len(worker.runs) == 4  # the default concurrency
        worker.gate.set()
        assert sorted(call.result(10.0) for call in calls) == [0, 1, 2, 3, 4, 5]


# --- never twice
# --------------------------------------------------------------------------------------------------


def test_repeated_request_is_answered_from_memory(client: ZMQClient, worker: Any, call_alone: Any) -> None:
    """The same request id is run once, also when it comes again on another connection."""
    first = client.call("add", {"a": 1, "b": 2}, request_id="r-1")
    again = client.call("add", {"a": 1, "b": 2}, request_id="r-1")
    elsewhere = call_alone(worker.address, "add", {"a": 1, "b": 2}, request_id="r-1")

    assert [first, again, elsewhere] == [3, 3, 3]
    assert worker.runs == [(1, 2)]
    assert worker.stats.replayed == 2


def test_repeated_request_joins_the_running_call(client: ZMQClient, worker: Any, until: Any) -> None:
    """A retry after a time-out, while the first try still runs, gets that run's answer."""
    with pytest.raises(CallTimeout):
        client.call("wait_for_gate", {"n": 5}, request_id="r-1", timeout=150)
    with ThreadPoolExecutor(1) as pool:
        retry = pool.submit(client.call, "wait_for_gate", {"n": 5}, request_id="r-1")
        until(lambda: worker.stats.joined == 1, what="the retry to join")
        worker.gate.set()

        assert retry.result(10.0) == 5
    assert worker.runs == [5]


def test_failures_are_remembered_too(client: ZMQClient, worker: Any) -> None:
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
    dealer: zmq.Socket[bytes], client: ZMQClient, worker: Any, frames: list[bytes], error: str
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
    dealer: zmq.Socket[bytes], client: ZMQClient, worker: Any
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


# --- making


def test_port_taken(worker: Any, worker_class: Any) -> None:
    """A port that is in use is a PortTaken that names it, and leaves nothing running."""
    other = worker_class("other", worker.port)
    with pytest.raises(PortTaken, match=str(worker.port)):
        other.start()
    assert other.is_running is False


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"handler_id": ""}, "1 to 200 characters"),
        ({"handler_id": "h\n1"}, r"none of them a control character, found 'h\\n1'"),
        ({"handler_id": "h", "port": 70_000}, "0..65535"),
        ({"handler_id": "h", "concurrency": 0}, "concurrency of at least 1"),
        ({"handler_id": "h", "call_memory": 0}, "at least 1 answer"),
        ({"handler_id": "h", "heartbeat": 0}, "timing.heartbeat is more than 0 seconds, found 0"),
        ({"handler_id": "h", "timing": {"retry_delay": float("inf")}}, "timing.retry_delay is more than 0"),
        ({"handler_id": "h", "timing": {"attempts": 0}}, "timing.attempts is at least 1, found 0"),
        ({"handler_id": "h", "timing": {"jitter": 2}}, r"timing.jitter lies in 0..1, found 2"),
        ({"handler_id": "h", "timing": {"slow_delay": "soon"}}, r"timing: Expected `float`, got `str`"),
        ({"handler_id": "h", "timing": {"patience": 1}}, "timing has no patience; it has: heartbeat, retry_delay"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], complaint: str, worker_class: Any) -> None:
    """A handler that could never work is refused when it is made."""
    with pytest.raises(ConfigError, match=complaint):
        worker_class(**arguments)


def test_address_that_is_not_of_this_machine(worker_class: Any) -> None:
    """An address that cannot be bound here is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot listen on tcp://192\.0\.2\.1"):
        worker_class("h", 0, None, "192.0.2.1", insecure=True).start()


def test_many_callers(worker: Any, call_alone: Any) -> None:
    """Forty callers at once, each on a connection of its own, get their own answers."""
    ask: Callable[[int], Any] = lambda n: call_alone(worker.address, "add", {"a": n, "b": 1})  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == list(range(1, 41))


def test_answers_tell_in_which_start_they_ran(worker_class: Any) -> None:
    """Every answer of a method names the incarnation, a repeated one too; after a restart it is another."""
    worker = worker_class("w")
    seen = []
    for _ in range(2):
        with worker, ZMQClient(worker.address, timeout=10_000) as client:
            replies = [client.call_raw("add", {"a": 1}, request_id="r") for _ in range(2)]
            replies += [client.call_raw(method) for method in ("fail", "unspeakable")]
            assert {reply.incarnation for reply in replies} == {worker.incarnation}
            assert client.call_raw("nothing").incarnation is None
            assert client.incarnation == worker.incarnation
            seen.append(worker.incarnation)
            assert worker.stats.started == 3
    assert seen[0] != seen[1]


@pytest.mark.parametrize("what", ["calls", "bytes"])
def test_a_full_handler_says_so(
    dealer: zmq.Socket[bytes], worker: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Beyond a limit of calls, or of their bytes, callers are told at once that their call did not run."""
    monkeypatch.setattr(handler_socket, "_MAX_PENDING" if what == "calls" else "_MAX_PENDING_BYTES", 10)
    room = 10 if what == "calls" else 1  # one call is taken however large it is
    for n in range(room + 5):
        request = {"method": "wait_for_gate", "params": {"n": n}, "request_id": f"r-{n}"}
        dealer.send_multipart([b"", json.dumps(request).encode()])
    refused = [json.loads(dealer.recv_multipart()[-1]) for _ in range(5)]
    assert {reply["code"] for reply in refused} == {"unavailable"}
    assert [reply["request_id"] for reply in refused] == [f"r-{n}" for n in range(room, room + 5)]
    worker.gate.set()
    done = [json.loads(dealer.recv_multipart()[-1])["result"] for _ in range(room)]
    assert sorted(done) == list(range(room))
    # What was refused has not run, and its id is free for the retry.
    dealer.send_multipart([b"", b'{"method": "wait_for_gate", "params": {"n": 77}, "request_id": "r-%d"}' % room])
    assert json.loads(dealer.recv_multipart()[-1])["result"] == 77
