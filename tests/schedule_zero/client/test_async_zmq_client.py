"""The asyncio client with many calls in flight.

Each body runs once over libzmq and once in the simulated world.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.errors import (
    CallTimeout,
    ProtocolError,
)

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]


def test_three_hundred_answers_in_reverse(arm: Any) -> None:
    """Each of 300 calls in flight at once gets its own answer, whatever the order of the answers."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            assert await client.call("echo", {"n": -1}) == {"n": -1}
            peer.respond = arm.keep
            calls = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(300)]
            await peer.has(301)
            assert client.in_flight == 300
            for route, request in reversed(peer.kept):
                await peer.answer(route, request)

            assert await asyncio.gather(*calls) == [{"n": n} for n in range(300)]
            assert (client.in_flight, client.stats.calls, client.stats.recreated) == (0, 301, 0)

    arm.run(body())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_call_ends_in_its_own_answer_or_a_typed_error(arm: Any, seed: int) -> None:
    """Answers that are late, doubled, lost, garbled, or another's harm no call but their own."""

    patience = arm.patience

    async def misbehave(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        what, n = request["method"], request["params"]["n"]
        if what == "twice":
            await peer.answer(route, request)
        if what in ("twice", "once"):
            await peer.answer(route, request)
        elif what == "stranger":
            await peer.answer(route, request, request_id="nobody's", result="wrong")
        elif what == "garbled":
            await peer.send(route, b'{"request_id": "%s", "success": 5}' % request["request_id"].encode())
        elif what == "late":
            asyncio.get_running_loop().call_later(1.2 * patience, peer.answer_soon, route, request)
        elif what == "frames":
            await peer.send(route, b"", b"x", b"\xff" * (n + 1))

    async def body() -> None:
        chance = random.Random(seed)
        expected = {
            "once": None, "twice": None, "stranger": "CallTimeout", "garbled": "ProtocolError",
            "late": "CallTimeout", "silent": "CallTimeout", "frames": "CallTimeout",
        }  # fmt: skip
        wanted = [chance.choice([*expected]) for _ in range(200)]
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=150) as client:
            await client.call("echo", {"n": -1})
            peer.respond = misbehave
            calls = [client.call(what, {"n": n}, timeout=int(patience * 1000)) for n, what in enumerate(wanted)]
            ends = await arm.kinds(*calls)
            assert ends == [expected[what] or {"n": n} for n, what in enumerate(wanted)]
            count = {what: wanted.count(what) for what in expected}
            assert client.stats.timeouts == sum(count[w] for w, end in expected.items() if end == "CallTimeout")
            assert client.stats.protocol_errors == count["garbled"] + count["frames"]
            strays = sum(count[w] for w in ("twice", "stranger", "late", "frames"))
            async with asyncio.timeout(20.0):
                while client.stats.stray_replies < strays:
                    await asyncio.sleep(0.01)
            assert client.stats.stray_replies == strays
            assert client.in_flight == 0

    arm.run(body())


def test_no_more_than_the_limit_are_in_flight(arm: Any) -> None:
    """The rest wait their turn, and their waiting counts against their own time-out."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=4) as client:
            await client.call("echo")
            peer.respond = arm.keep
            first = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(4)]
            await peer.has(5)
            with pytest.raises(CallTimeout, match=r"other calls held the client for all of 0\.050 s"):
                await client.call("echo", timeout=50)
            waiting = asyncio.create_task(client.call("echo", {"n": 4}))
            await asyncio.sleep(0.02)
            assert (client.in_flight, len(peer.requests)) == (4, 5)
            await peer.answer(*peer.kept[0])
            await peer.has(6)
            for kept in peer.kept[1:]:
                await peer.answer(*kept)
            assert await asyncio.gather(*first, waiting) == [{"n": n} for n in range(5)]

    arm.run(body())


def test_one_request_id_is_one_request(arm: Any) -> None:
    """Two calls under one id share a request and its answer; the id of another request is refused."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            two = [asyncio.create_task(client.call("echo", {"n": 1}, request_id="r")) for _ in range(2)]
            await peer.has(2)
            with pytest.raises(ProtocolError, match="'r' is in flight for another request"):
                await client.call("echo", {"n": 2}, request_id="r")
            await peer.answer(*peer.kept[0])
            assert await asyncio.gather(*two) == [{"n": 1}, {"n": 1}]
            assert len(peer.requests) == 2

    arm.run(body())


def test_the_one_who_gives_up_takes_nothing_from_the_other(arm: Any) -> None:
    """Of two calls under one id, one times out and the other is answered."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            patient = asyncio.create_task(client.call("echo", {"n": 1}, request_id="r"))
            hasty = asyncio.create_task(client.call("echo", {"n": 1}, request_id="r", timeout=50))
            assert await arm.kinds(hasty) == ["CallTimeout"]
            await peer.answer(*peer.kept[0])
            assert await patient == {"n": 1}

    arm.run(body())
