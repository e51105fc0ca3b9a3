"""What comes of answers to the asyncio client, and what it refuses to be asked.

Each body runs once over libzmq and once in the simulated world.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.errors import (
    ConfigError,
    Disconnected,
    HandlerUnavailable,
    ProtocolError,
    RemoteError,
)

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]
NOBODY = "tcp://127.0.0.1:1"


def test_answers_become_results_or_typed_errors(arm: Any) -> None:
    """As with the synchronous client: the handler's errors by their codes, and nothing that is no JSON is sent."""

    async def body() -> None:
        with arm.worker() as worker:
            async with AsyncZMQClient(worker.address) as client:
                assert await client.call("add", {"a": 1, "b": 2}) == 3
                with pytest.raises(RemoteError, match="ValueError: no such luck") as failed:
                    await client.call("fail")
                assert failed.value.code == "call_failed"
                with pytest.raises(ProtocolError, match="cannot be written as JSON"):
                    await client.call("add", {"a": object()})
                assert await client.ping()
                assert [await client.call("add", {"a": 1}, request_id="r") for _ in range(3)] == [1, 1, 1]
                assert worker.stats.replayed == 2

    arm.run(body())


def test_a_handler_that_stops_in_the_middle(arm: Any) -> None:
    """Of 300 calls to a handler that stops, each is answered or refused; none is left hanging."""

    async def body() -> None:
        worker = arm.worker()
        worker.start()
        async with AsyncZMQClient(worker.address, timeout=2000) as client:
            calls = [asyncio.create_task(client.call("add", {"a": n})) for n in range(300)]
            await asyncio.sleep(0.02)
            await asyncio.to_thread(worker.stop)
            ends = await arm.kinds(*calls)
            wrong = [(n, end) for n, end in enumerate(ends) if end not in (n, "HandlerUnavailable", "CallTimeout")]
            assert wrong == []

    arm.run(body())


def test_a_refusal_is_told_from_a_failure(arm: Any) -> None:
    """`unavailable` is an error of its own: that call did not run."""

    async def refuse(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        await peer.answer(route, request, success=False, error="is stopping", code="unavailable")

    async def body() -> None:
        async with arm.peer(refuse) as peer, AsyncZMQClient(peer.address) as client:
            with pytest.raises(HandlerUnavailable, match="is stopping"):
                await client.call("echo")

    arm.run(body())


def test_a_flood_of_answers_leaves_the_loop_to_others(arm: Any) -> None:
    """While a thousand answers are taken in, other tasks of the loop run."""

    async def body() -> None:
        async with arm.peer(arm.keep) as peer, AsyncZMQClient(peer.address) as client:
            call = asyncio.create_task(client.call("echo"))
            await peer.has(1)
            for _ in range(1000):
                await peer.answer(*peer.kept[0], request_id="nobody's")
            time.sleep(0.1)  # noqa: ASYNC251 - the loop stands still, so that they pile up
            rounds = 0
            while client.stats.stray_replies < 1000:
                await asyncio.sleep(0)
                rounds += 1
            await peer.answer(*peer.kept[0])
            await call
            assert rounds >= 1000 / 64

    arm.run(body())


def test_two_under_one_id_that_wait_for_their_turns(arm: Any) -> None:
    """Who finds, when its turn comes, that its request is under way already does not send it again."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=2) as client:
            await client.call("echo")
            peer.respond = arm.slow_but_pings
            first = [asyncio.create_task(client.call("slow", {"n": n})) for n in range(2)]
            await peer.has(3)
            two = [asyncio.create_task(client.call("slow", {"n": 2}, request_id="r")) for _ in range(2)]
            await asyncio.sleep(0.01)
            await asyncio.gather(*(peer.answer(*kept) for kept in peer.kept))
            await peer.has(4)
            await peer.answer(*peer.kept[2])
            assert await asyncio.gather(*first, *two) == [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 2}]
            assert len(peer.requests) == 4

    arm.run(body())


@pytest.mark.parametrize("wrong", ["nowhere", "tcp://127.0.0.1", "bogus://127.0.0.1:5555"])
def test_address_that_makes_no_sense(arm: Any, wrong: str) -> None:
    """An address that ZeroMQ cannot use is an error at connect, which names it."""

    async def body() -> None:
        client = AsyncZMQClient(wrong)
        with pytest.raises(Disconnected, match="cannot connect to"):
            await client.connect()
        await client.terminate()

    arm.run(body())


def test_room_for_no_call() -> None:
    """A client that could never call is refused when it is made."""
    with pytest.raises(ConfigError, match="at least 1 call in flight, found 0"):
        AsyncZMQClient(NOBODY, max_in_flight=0)
