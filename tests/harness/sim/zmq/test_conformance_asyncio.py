"""zmq.asyncio: pyzmq's own code over the simulated descriptor, beside itself over the real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq
import zmq.asyncio

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK
LIMIT = 20.0


def run(body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a new loop, with a limit."""

    async def limited() -> Any:
        return await asyncio.wait_for(body, LIMIT)

    return asyncio.run(limited())


@asynccontextmanager
async def joined(server: int, client: int, **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A bound and a connected socket of one asyncio context; `options` are the client's."""
    context = zmq.asyncio.Context()
    one, two = context.socket(server), context.socket(client)
    for name, value in options.items():
        setattr(two, name, value)
    port = one.bind_to_random_port("tcp://127.0.0.1")
    two.connect(f"tcp://127.0.0.1:{port}")
    try:
        yield one, two
    finally:
        context.destroy(linger=0)


def test_question_and_answer(world: Any) -> None:
    """Both sides in one loop, each waiting for the other."""

    async def body() -> list[bytes]:
        async with joined(zmq.REP, zmq.REQ) as (rep, req):

            async def serve() -> None:
                for _ in range(3):
                    await rep.send(b"re " + await rep.recv())

            task = asyncio.create_task(serve())
            answers = []
            for n in range(3):
                await req.send(b"%d" % n)
                answers.append(await req.recv())
            await task
            return answers

    assert run(body()) == [b"re 0", b"re 1", b"re 2"]


def test_loop_runs_on(world: Any) -> None:
    """While a socket waits, other tasks run; a poll ends with the message."""

    async def body() -> tuple[int, bool, list[bytes]]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            asyncio.get_running_loop().call_later(0.1, lambda: push.send_multipart([b"a", b"b"]))
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1

            task = asyncio.create_task(tick())
            ready = await pull.poll(5_000)
            task.cancel()
            return ready, ticks >= 3, await pull.recv_multipart()

    assert run(body()) == (zmq.POLLIN, True, [b"a", b"b"])


def test_time_outs(world: Any) -> None:
    """RCVTIMEO raises zmq.Again after its time, poll gives 0 after its own."""

    async def body() -> tuple[float, float, int]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, _):
            pull.rcvtimeo = 100
            begin = time.monotonic()
            with pytest.raises(zmq.Again):
                await pull.recv()
            middle = time.monotonic()
            pull.rcvtimeo = -1  # it would end a poll as well, with zmq.Again
            ready = await pull.poll(100)
            return middle - begin, time.monotonic() - middle, ready

    first, second, ready = run(body())
    assert ready == 0
    assert 0.099 <= first < 10
    assert 0.099 <= second < 10


def test_cancelled_recv_loses_nothing(world: Any) -> None:
    """A receive that is cancelled while it waits, or before it has run, loses no message."""

    async def body() -> list[bytes]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            got = []
            for n in range(30):
                future = pull.recv()
                if n % 2:
                    await asyncio.sleep(0)
                future.cancel()
                await push.send(b"%d" % n)
                got.append(await pull.recv())
            return got

    assert run(body()) == [b"%d" % n for n in range(30)]


def test_req_stays_where_it_is_after_wait_for(world: Any) -> None:
    """A REQ whose recv was cancelled by wait_for refuses the next send; a later recv gets the answer."""

    async def body() -> tuple[bool, bytes]:
        async with joined(zmq.REP, zmq.REQ) as (rep, req):
            await req.send(b"q")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(req.recv(), 0.05)
            refused = False
            try:
                await req.send(b"again", NOW)
            except zmq.ZMQError as error:
                refused = error.errno == zmq.EFSM
            await rep.recv()
            await rep.send(b"late")
            return refused, await req.recv()

    assert run(body()) == (True, b"late")


def test_three_tasks_on_one_req(world: Any) -> None:
    """Of three tasks that share a REQ one is answered, two are refused (EFSM)."""

    async def body() -> list[str]:
        async with joined(zmq.REP, zmq.REQ) as (rep, req):

            async def ask(n: int) -> str:
                try:
                    await req.send(b"%d" % n)
                    return str(await req.recv(), "ascii")
                except zmq.ZMQError as error:
                    return zmq.Errno(error.errno or 0).name

            tasks = [asyncio.create_task(ask(n)) for n in range(3)]
            await rep.send(await rep.recv())
            return sorted(await asyncio.gather(*tasks))

    assert run(body()) == ["0", "EFSM", "EFSM"]


def test_closing_cancels(world: Any) -> None:
    """Closing a socket cancels who waits for it."""

    async def body() -> str:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, _):
            task = asyncio.create_task(_received(pull))
            await asyncio.sleep(0.02)
            pull.close(0)
            try:
                await task
            except asyncio.CancelledError:
                return "cancelled"
            return "went on"

    assert run(body()) == "cancelled"


async def _received(socket: Any) -> Any:
    return await socket.recv()


def test_backlog_is_read_to_the_end(world: Any) -> None:
    """Hundreds of messages sent at once are all received, though the descriptor rings once."""

    async def body() -> list[int]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            for n in range(300):
                await push.send(b"%d" % n)
            return [int(await pull.recv()) for _ in range(300)]

    assert run(body()) == list(range(300))


def test_blocked_send_goes_on(world: Any) -> None:
    """A send that must wait for room ends when there is some."""

    async def body() -> list[bytes]:
        context = zmq.asyncio.Context()
        pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
        pull.rcvhwm = push.sndhwm = 1
        pull.bind("inproc://full")
        push.connect("inproc://full")
        try:
            tasks = [asyncio.ensure_future(push.send(b"%d" % n)) for n in range(5)]
            await asyncio.sleep(0.05)
            assert [task.done() for task in tasks] == [True, True, False, False, False]
            got = [await pull.recv() for _ in range(5)]
            await asyncio.gather(*tasks)
            return got
        finally:
            context.destroy(linger=0)

    assert run(body()) == [b"0", b"1", b"2", b"3", b"4"]


def test_async_poller(world: Any) -> None:
    """zmq.asyncio.Poller waits for several sockets, wrapped or not."""

    async def body() -> tuple[list[bool], list[Any]]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            poller = zmq.asyncio.Poller()
            poller.register(pull, zmq.POLLIN)
            poller.register(push, zmq.POLLOUT)
            first = [socket is push for socket, _ in await poller.poll(1_000)]
            poller.unregister(push)
            nothing = await poller.poll(30)
            return first, nothing

    assert run(body()) == ([True], [])


def test_from_a_sync_socket(world: Any) -> None:
    """An asyncio socket can be made from a sync one, and a sync shadow from an asyncio one."""

    async def body() -> tuple[bytes, bytes]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            sync: Any = zmq.Socket.shadow(push)
            sync.send(b"sync")
            first = await pull.recv()
            wrapped = zmq.asyncio.Socket.from_socket(sync)
            await wrapped.send(b"async")
            return first, await pull.recv()

    assert run(body()) == (b"sync", b"async")


def test_monitor_messages(world: Any) -> None:
    """recv_monitor_message of an asyncio monitor is awaited."""
    from zmq.utils.monitor import recv_monitor_message

    async def body() -> list[str]:
        context = zmq.asyncio.Context()
        try:
            rep = context.socket(zmq.REP)
            monitor = rep.get_monitor_socket()
            port = rep.bind_to_random_port("tcp://127.0.0.1")
            req = context.socket(zmq.REQ)
            req.connect(f"tcp://127.0.0.1:{port}")
            names = []
            for _ in range(3):
                event = await recv_monitor_message(monitor)
                names.append(str(zmq.Event(event["event"]).name))
            rep.disable_monitor()
            return names
        finally:
            context.destroy(linger=0)

    assert run(body()) == ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED"]


def test_json_and_text(world: Any) -> None:
    """The deserialising receives are futures as well."""

    async def body() -> tuple[Any, str]:
        async with joined(zmq.PULL, zmq.PUSH) as (pull, push):
            await push.send_json({"a": 1})
            await push.send_string("é")
            return await pull.recv_json(), await pull.recv_string()

    assert run(body()) == ({"a": 1}, "é")
