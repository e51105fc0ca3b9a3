"""The asyncio client whose peer is slow, dead, not there yet or back again.

Each body runs once over libzmq and once in the simulated world.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from harness.sim.world import World
from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.manners import Manner

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]
NOBODY = "tcp://127.0.0.1:1"


def test_a_time_out_of_one_call_costs_the_others_nothing(arm: Any) -> None:
    """While the peer is heard from, a call that times out leaves the connection; its late answer is counted."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            slow = asyncio.create_task(client.call("slow", timeout=int(arm.patience * 1000)))
            patient = asyncio.create_task(client.call("slow", {"n": 1}))
            await peer.has(3)
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert await arm.kinds(slow) == ["CallTimeout"]
            for kept in peer.kept:
                await peer.answer(*kept)
            assert await patient == {"n": 1}
            assert (client.stats.timeouts, client.stats.stray_replies, client.stats.recreated) == (1, 1, 0)

    arm.run(body())


def test_silence_costs_a_connection_but_no_call(arm: Any) -> None:
    """When a call times out in silence, new calls get a new connection, and the old one still brings answers."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            patient = asyncio.create_task(client.call("slow", {"n": 1}))
            assert await arm.kinds(client.call("slow", timeout=50)) == ["CallTimeout"]
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.stats.recreated == 1
            await peer.answer(*peer.kept[0])
            assert await patient == {"n": 1}
            assert client.in_flight == 0

    arm.run(body())


def test_a_killed_peer_comes_back(arm: Any) -> None:
    """The call that the dead peer took times out; those that wait for their turn are answered by its successor."""

    async def body() -> None:
        async with arm.peer(arm.keep) as peer:
            client = AsyncZMQClient(peer.address, timeout=20_000)
            lost = asyncio.create_task(client.call("echo", timeout=300))
            await peer.has(1)
            waiting = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(50)]
        async with arm.peer(address=peer.address):
            assert await arm.kinds(lost) == ["CallTimeout"]
            assert await asyncio.gather(*waiting) == [{"n": n} for n in range(50)]
            await client.terminate()

    arm.run(body())


def test_nobody_there(arm: Any) -> None:
    """Calls to a port where nobody listens end at their time-outs, those that waited for their turn too."""

    async def body() -> float:
        async with AsyncZMQClient(NOBODY, timeout=150) as client:
            begin = asyncio.get_running_loop().time()
            assert await arm.kinds(*(client.call("echo") for _ in range(5))) == ["CallTimeout"] * 5
            assert not await client.ping(timeout=10)
            return asyncio.get_running_loop().time() - begin

    assert 0.15 <= arm.run(body()) < 5.0


def test_what_was_given_up_is_not_sent_later(arm: Any) -> None:
    """A client full of requests that nobody took throws them away: the returning peer gets only the last."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=2) as client:
            await client.call("echo")
        async with AsyncZMQClient(peer.address, max_in_flight=2) as client:
            client.manner = Manner.ECHOES
            for n in range(1100):
                call = asyncio.create_task(client.call("echo", {"n": n}))
                await asyncio.sleep(0)
                call.cancel()
                assert await arm.kinds(call) == ["CancelledError"]
            assert client.stats.recreated == 1
            async with arm.peer(address=peer.address) as again:
                assert await client.call("echo", {"n": -1}) == {"n": -1}
                assert len(again.requests) < 200

    arm.run(body())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_restarts_and_cancellations_leave_nothing(bare_arm: Any, worker_class: Any, seed: int) -> None:
    """A handler restarted twice under calls of every patience, some of them cancelled: no answer goes astray, and in
    the end nothing is in flight, no connection is left over, and all is served.
    """
    chance = random.Random(seed)

    async def body() -> None:
        workers = [worker_class("w")]
        workers[0].start()
        client = AsyncZMQClient(workers[0].address, max_in_flight=chance.choice([1, 5, 64]))

        async def call(n: int) -> None:
            await asyncio.sleep(chance.random() * 1.5)
            method = chance.choice(["add", "add_later"])
            assert await client.call(method, {"a": n, "b": 0}, timeout=chance.choice([20, 200, 1000])) == n

        async def restart() -> None:
            for _ in range(2):
                await asyncio.sleep(0.4)
                await asyncio.to_thread(workers[-1].stop, chance.choice([0.0, 0.5]))
                await asyncio.sleep(chance.random() * 0.2)
                workers.append(worker_class("w", workers[0].port))
                workers[-1].start()

        calls = [asyncio.create_task(call(n)) for n in range(120)]
        for task in chance.sample(calls, 10):
            asyncio.get_running_loop().call_later(chance.random(), task.cancel)
        ends = await bare_arm.kinds(*calls, restart())
        assert set(ends) <= {None, "CallTimeout", "HandlerUnavailable", "CancelledError"}
        assert ends[-1] is None
        later = [client.call("add", {"a": n}, timeout=20_000) for n in range(20)]
        assert await asyncio.gather(*later) == list(range(20))
        assert (client.in_flight, client._retired) == (0, [])
        await client.terminate()
        await asyncio.to_thread(workers[-1].stop)

    with World(seed=seed):
        bare_arm.run(body())
