"""Which calls of a handler run, which wait for their turn, and which are not begun any more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq

from schedule_zero.errors import CallTimeout, HandlerUnavailable, RemoteError
from schedule_zero.handler_methods import public_methods
from schedule_zero.handler_workers import Job, Workers
from schedule_zero.log_context import current
from schedule_zero.zmq_client import ZMQClient
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


class Mixed(BaseHandler):
    """Methods that wait for a gate, in threads and in the loop, and coroutines that end more than themselves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = threading.Event()
        self.runs: list[Any] = []
        self.loops: list[int] = []

    def wait(self, n: int) -> int:
        """Note it, and return when the gate is open."""
        self.runs.append(n)
        self.gate.wait(30.0)
        return n

    def give(self, what: str) -> Any:
        """Something that is not what JSON has, or that is too deep for a message."""
        if what == "deep":
            return json.loads("[" * 65 + "]" * 65)
        return {"nan": [float("nan")], "set": {"s": {1}}, "bytes": b"abc", "key": {1: 2}, "tuple": ((1, "a"), None)}[
            what
        ]

    def ids(self) -> Any:
        """A coroutine that a plain method makes: it answers with the ids that its log lines would carry."""

        async def look() -> dict[str, Any]:
            return dict(current())

        return look()

    def refuse(self) -> None:
        """Fail with a text that no message can hold."""
        raise ValueError("no file \udcff")


class Coroutines(BaseHandler):
    """Nothing but coroutines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = threading.Event()
        self.runs: list[Any] = []

    async def wait(self, n: int) -> int:
        """Note it, and return when the gate is open."""
        self.runs.append(n)
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        return n

    async def leave(self, kind: str) -> None:
        """End the process, as a method may think."""
        raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[kind]("bye")

    async def end_loop(self) -> None:
        """Have a task of its own end the loop."""

        async def leave() -> None:
            raise SystemExit(4)

        self.task = asyncio.get_running_loop().create_task(leave())
        await asyncio.sleep(30.0)


@pytest.fixture
def mixed() -> Iterator[Mixed]:
    """A handler that runs one call at a time."""
    with Mixed("m", concurrency=1) as handler:
        yield handler
        handler.gate.set()


@pytest.fixture
def coroutines() -> Iterator[Coroutines]:
    """A handler of coroutines, two at a time."""
    with Coroutines("c", concurrency=2) as handler:
        yield handler
        handler.gate.set()


def call(handler: BaseHandler, method: str, timeout: int = 10_000, request_id: str | None = None, **params: Any) -> Any:
    """The answer, over a connection of its own."""
    with ZMQClient(handler.address, timeout) as client:
        return client.call(method, params, request_id=request_id)


def test_a_call_whose_caller_has_given_up_is_not_begun(mixed: Mixed, until: Any) -> None:
    """Behind a long call, its caller is told in time that it did not run; and it does not, when there is room."""
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(call, mixed, "wait", n=1)
        until(lambda: mixed.runs == [1], "the first call")
        with pytest.raises(HandlerUnavailable, match="is busy, and has not begun the call in time"):
            call(mixed, "wait", timeout=300, request_id="late", n=2)
        mixed.gate.set()
        assert first.result(10.0) == 1
    assert mixed.stats.expired == 1
    assert call(mixed, "wait", n=3) == 3
    assert mixed.runs == [1, 3]
    # The id is free: who asks again under it is not told of the past.
    assert call(mixed, "wait", request_id="late", n=2) == 2


def test_a_repetition_prolongs_the_wait(mixed: Mixed, until: Any) -> None:
    """As long as anybody waits for a call it keeps its turn; whoever gave up before times out as ever."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(call, mixed, "wait", n=1)
        until(lambda: mixed.runs == [1], "the first call")
        hasty = pool.submit(call, mixed, "wait", timeout=1000, request_id="r", n=2)
        until(lambda: mixed.stats.started == 2, "the second call")
        with ThreadPoolExecutor(1) as other:
            patient = other.submit(call, mixed, "wait", request_id="r", n=2)
            until(lambda: mixed.stats.joined == 1, "its repetition")
            with pytest.raises(CallTimeout):
                hasty.result(10.0)
            mixed.gate.set()
            assert (first.result(10.0), patient.result(10.0)) == (1, 2)
    assert (mixed.runs, mixed.stats.expired) == ([1, 2], 0)


def test_a_caller_that_tells_no_patience_is_waited_for(mixed: Mixed, until: Any) -> None:
    """Peers of an older version say nothing of it: their calls run when their turn comes."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(mixed.address)
        for n in (1, 2):
            peer.send_multipart([b"", b'{"method":"wait","params":{"n":%d},"request_id":"%d"}' % (n, n)])
        until(lambda: mixed.stats.started == 2, "both calls")
        assert mixed.runs == [1]
        mixed.gate.set()
        peer.rcvtimeo = 10_000
        assert b'"result":1' in peer.recv_multipart()[1]
        assert b'"result":2' in peer.recv_multipart()[1]


def test_coroutines_hold_no_thread_and_keep_the_bound(coroutines: Coroutines, until: Any) -> None:
    """Two of three run at once, in the one thread of the loop; the third when one of them is done."""
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(call, coroutines, "wait", n=n) for n in range(3)]
        until(lambda: coroutines.stats.started == 3, "three calls")
        until(lambda: len(coroutines.runs) == 2, "two that run")
        names = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("c-"))
        assert names == ["c-loop", "c-socket"]
        coroutines.gate.set()
        assert [one.result(10.0) for one in calls] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt"])
def test_a_coroutine_that_leaves_takes_no_other_along(coroutines: Coroutines, until: Any, kind: str) -> None:
    """What would end the loop is an answer like any other exception; the one beside it and the next one run."""
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(call, coroutines, "wait", n=1)
        until(lambda: coroutines.runs == [1], "the call beside it")
        with pytest.raises(RemoteError, match=f"{kind}: bye") as caught:
            call(coroutines, "leave", kind=kind)
        assert caught.value.code == "call_failed"
        coroutines.gate.set()
        assert beside.result(10.0) == 1
    assert call(coroutines, "wait", n=2) == 2


def test_a_loop_that_was_ended_is_started_again(coroutines: Coroutines, until: Any) -> None:
    """A task that a method made ends the loop: the calls under way fail at once, and the next gets a new loop."""
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(call, coroutines, "wait", n=1)
        until(lambda: coroutines.runs == [1], "the call beside it")
        with pytest.raises(RemoteError) as caught:
            call(coroutines, "end_loop", timeout=20_000)
        assert caught.value.code == "call_failed"
        with pytest.raises(RemoteError, match="CancelledError"):
            beside.result(10.0)
    coroutines.gate.set()
    assert [call(coroutines, "wait", n=n) for n in (2, 3)] == [2, 3]


@pytest.mark.parametrize("what", ["nan", "set", "bytes", "key"])
def test_a_result_that_json_cannot_say_is_bad(mixed: Mixed, what: str) -> None:
    """Not made into null, a list or base64 behind the caller's back."""
    with pytest.raises(RemoteError, match=r"give ran, but its result holds .*JSON") as caught:
        call(mixed, "give", what=what)
    assert caught.value.code == "bad_result"
    assert call(mixed, "give", what="tuple") == [[1, "a"], None]


def test_a_result_that_is_nested_too_deeply_is_bad(mixed: Mixed) -> None:
    """The method ran: that must not look as if the handler could not be reached, for which it would be run again."""
    with pytest.raises(RemoteError, match="give ran, but its result is nested deeper than 64 levels") as caught:
        call(mixed, "give", what="deep")
    assert caught.value.code == "bad_result"


def test_a_failure_whose_text_no_message_can_hold_is_told(mixed: Mixed, caplog: pytest.LogCaptureFixture) -> None:
    """A lone surrogate is written as an escape; the call has failed, not the handler."""
    # Not logged here: a process of several that run tests could not report such a text either.
    caplog.set_level(logging.CRITICAL, logger="schedule_zero.handler_methods")
    with pytest.raises(RemoteError, match=r"ValueError: no file \\udcff") as caught:
        call(mixed, "refuse")
    assert caught.value.code == "call_failed"


def test_a_loop_that_gets_no_socket_is_told_and_started_by_a_later_call(until: Any) -> None:
    """As with too many open files: the calls are answered, hold no place, and the next after relief runs."""
    with zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, 4)  # the handler's three, and one for its loop
        spare = context.socket(zmq.PAIR)
        with Coroutines("c", concurrency=2, context=context) as handler:
            handler.gate.set()
            for n in range(3):
                with pytest.raises(RemoteError, match="event loop of the handler's coroutines cannot start") as caught:
                    call(handler, "wait", timeout=5000, n=n)
                assert caught.value.code == "internal"
            assert handler.runs == []
            spare.close()
            until(lambda: runs(handler), "a call that runs, as soon as the socket is gone")
            assert call(handler, "wait", n=4) == 4


def runs(handler: BaseHandler) -> bool:
    """Whether a call is run, and not refused."""
    try:
        return bool(call(handler, "wait", n=3) == 3)
    except RemoteError:
        return False


def test_a_handler_that_gets_too_few_sockets_does_not_start() -> None:
    """It would else begin with fewer workers than it tells; the two that could be had are not left behind."""
    with zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, 4)
        handler = Mixed("m", concurrency=3, context=context)
        with pytest.raises(zmq.ZMQError, match="Too many open files"):
            handler.start()
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("m-worker")] == []


def test_a_handler_stops_although_there_is_no_socket_to_be_had() -> None:
    """What wakes its thread was made at its start: the thread would else sleep for up to a minute."""
    with zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, 8)
        handler = Coroutines("c", context=context)
        handler.start()
        taken: list[zmq.Socket[bytes]] = []
        with contextlib.suppress(zmq.ZMQError):
            while True:
                taken.append(context.socket(zmq.PAIR))
        begun = time.monotonic()
        try:
            assert handler.stop(20.0)
        finally:
            for socket in taken:
                socket.close()
        assert time.monotonic() - begun < 10.0


def test_a_worker_whose_answer_nobody_takes_goes_on(mixed: Mixed, until: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be handed over is lost, not the worker with it."""
    mixed.gate.set()
    method = public_methods(mixed, BaseHandler)["wait"]
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as probe:
        pull.bind("inproc://answers")
        workers = Workers("m", "i", 1, context, "inproc://answers")
        workers.start()
        probe.connect("inproc://answers")
        pull.close()
        until(lambda: not probe.poll(0, zmq.POLLOUT), "the end of the socket, which the last to connect learns last")
        try:
            workers.submit(Job(1, method, {"n": 1}, "r1"))
            until(lambda: "nobody takes an answer" in caplog.text, "the loss is told")
            workers.done(1)
            workers.submit(Job(2, method, {"n": 2}, "r2"))
            until(lambda: mixed.runs == [1, 2], "the second job")
        finally:
            assert workers.stop(5.0) == []


def test_what_a_coroutine_logs_has_the_ids_of_its_call_from_the_first_on(mixed: Mixed) -> None:
    """Also that of the one for which the loop is started."""
    for request_id in ("first", "second"):
        ids = {"handler": "m", "method": "ids", "request_id": request_id}
        assert call(mixed, "ids", request_id=request_id) == ids
