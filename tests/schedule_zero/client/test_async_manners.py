"""The asyncio client learns whether its peer echoes request ids, and keeps to what it has learnt.

Each body runs once over libzmq and once in the simulated world.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.manners import Manner

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]


def test_a_second_call_does_not_wait_for_a_slow_first(arm: Any) -> None:
    """A peer that has shown nothing is asked its manner by a ping, so that its first, slow call holds up nobody."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            slow = asyncio.create_task(client.call("slow"))
            await peer.has(1)
            assert client.manner.value == "unknown"
            assert await client.call("echo", {"n": 1}, timeout=5000) == {"n": 1}
            assert client.manner.value == "echoes"
            assert not slow.done()
            await peer.answer(*peer.kept[0])
            assert await slow == {}
            assert [request["method"] for request in peer.requests] == ["slow", "ping", "echo"]

    arm.run(body())


@pytest.mark.parametrize("manner_shown_by", ["call", "ping"])
def test_a_plain_rep_gets_one_call_at_a_time(arm: Any, manner_shown_by: str) -> None:
    """Twenty calls at once to a REP that knows no request ids: each gets its own answer."""

    async def body() -> None:
        async with arm.rep() as peer, AsyncZMQClient(peer.address) as client:
            if manner_shown_by == "call":
                await client.call("echo", {"n": -1})
            answers = await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(20)))
            assert answers == [{"n": n} for n in range(20)]
            assert client.manner.value == "anonymous"
            assert client.stats.stray_replies == 0

    arm.run(body())


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_late_answer_without_an_id_is_nobodys(arm: Any, how: str) -> None:
    """After a call to a plain REP is given up, its answer is not taken for that to the next call."""

    async def body() -> None:
        async with arm.rep() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo", {"n": 0})
            peer.pause = 0.2
            call = asyncio.create_task(client.call("echo", {"n": 1}, timeout=100 if how == "timeout" else 5000))
            await asyncio.sleep(0.05)
            if how == "cancel":
                call.cancel()
            await asyncio.wait([call])
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.stats.recreated == 1

    arm.run(body())


def test_a_peer_that_begins_to_echo(arm: Any) -> None:
    """One answer without an id does not slow a peer down for ever: the next one that has an id is believed."""

    async def body() -> None:
        async with arm.peer(arm.without_id) as peer, AsyncZMQClient(peer.address) as client:
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert client.manner.value == "anonymous"
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.manner.value == "echoes"

    arm.run(body())


def test_a_peer_that_ceases_to_echo(arm: Any) -> None:
    """A plain REP in the place of a handler of ours costs one time-out; then its manner is learnt anew."""

    async def body() -> None:
        async with arm.peer() as peer:
            client = AsyncZMQClient(peer.address, timeout=5000)
            await client.call("echo")
        async with arm.rep(peer.address):
            assert await arm.kinds(client.call("echo", {"n": 1}, timeout=1000)) == ["CallTimeout"]
            assert await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(5))) == [
                {"n": n} for n in range(5)
            ]
            assert (client.manner, client.stats.timeouts) == (Manner.ANONYMOUS, 1)
            await client.terminate()

    arm.run(body())


def test_the_question_for_the_manner_ends_with_the_first_answer(arm: Any) -> None:
    """A peer that knows no ping shows its manner by its answer to the first call; it is not asked any more."""

    async def no_ping(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        if request["method"] == "slow":
            peer.kept.append((route, request))
        elif request["method"] != "ping":
            await peer.answer(route, request)

    async def body() -> None:
        async with arm.peer(no_ping) as peer, AsyncZMQClient(peer.address) as client:
            first = asyncio.create_task(client.call("slow"))
            second = asyncio.create_task(client.call("echo"))
            await peer.has(2)
            assert client._probe is not None
            await peer.answer(*peer.kept[0])
            assert await arm.kinds(first, second) == [{}, {}]
            assert client._probe is None

    arm.run(body())


def test_an_answer_that_comes_with_the_cancellation(arm: Any) -> None:
    """A call that is cancelled in the very moment in which its answer comes is cancelled, and harms nobody."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            call = asyncio.create_task(client.call("echo", request_id="r"))
            await peer.has(2)
            lane = client._lane
            assert lane is not None
            call.cancel()
            client._on_message(lane, b'{"success": true, "request_id": "r"}')
            assert await arm.kinds(call) == ["CancelledError"]
            assert client.in_flight == 0

    arm.run(body())
